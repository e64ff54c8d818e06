"""How an operator stands in generated code: what each specc/ops/*/write.py says, and where it is looked up.

A generated class stands for all blocks of one structure, so an operator is written for all its `sites` at once: the
same op in every block that becomes an instance of the class. A number is given as one value for each site; whether it
becomes a literal, a parameter of the class or an expression of parameters is not the operator's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Literal, TypeAlias

import specc.ops
from specc.ir.expr import Apply, Expr, Var
from specc.ir.graph import Op, Tensor
from specc.ops import operator_package
from specc.ops.runs import runs
from specc.plugins import BrokenPackage, held

Role: TypeAlias = Literal[
    "channels", "kernel", "stride", "padding", "dilation", "banks", "bank", "heads", "rate", "size", "extra"
]


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One op in one block."""

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


Sites: TypeAlias = tuple[Site, ...]
Counts: TypeAlias = tuple[Expr, ...]
"""Channels in several runs: how many there are in each."""
Value: TypeAlias = Expr | Counts
Values: TypeAlias = tuple[Value, ...]
"""One value for each site."""


@dataclass(frozen=True, slots=True, eq=False)
class Arg:
    """An argument in generated code. It is left out where all its values are `default`.

    role       what the number is: equal values of one role are one parameter, called so if nothing better is found
    name       the keyword, "" for a positional argument
    parameter  the operator's parameter that it is, "" where the spec does not write it
    half       the kernel of which it is half, where it is a padding that keeps the map's size
    difference the two numbers whose difference it is
    whole      whether the layer takes it at the largest sub-network
    """

    values: Values
    role: Role
    name: str = ""
    default: Expr | None = None
    parameter: str = ""
    half: Values = ()
    difference: tuple[Values, Values] | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """An operator in generated code.

    layer         the class that `__init__` instantiates, "" for none
    source        the folder of specc/ops whose torch.py defines `layer`, "" for a class of torch
    args          its arguments
    planned       whether a plan says something about the layer: which channels, which bank, which statistics
    number        a number that the op reads: from the plan where it is elastic, else from an attribute
    call          forward's expression; `{0}`, `{1}`: inputs, `{number}`: the number. With a layer it is a plain call of
                  it unless it says more: `{layer}({0}{cut}).flatten(2)`
    inplace       the same with its first input overwritten, "" where autograd needs that input
    update        a statement that adds to its first input in place, "" for none
    overwritable  whether autograd can do without this op's output, so that the next op may overwrite it
    joins         whether the calls before it may be written as its arguments: `torch.cat((x, self.b1(x)), 1)`
    plain         whether the layer, with all that it reads, needs torch alone: then model.py of a network without
                  choices has its text
    """

    layer: str = ""
    source: str = ""
    args: tuple[Arg, ...] = ()
    planned: bool = False
    number: Arg | None = None
    call: str = ""
    inplace: str = ""
    update: str = ""
    overwritable: bool = False
    joins: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Writer:
    """How one kind of operator is written. `write(sites, elastic)`; `elastic` says whether the network has choices.

    `function` says that it is a function of one tensor, which a block may be given: `act=relu`.
    """

    kind: str
    write: Callable[[Sites, bool], Written]
    function: bool = False


@cache
def writers() -> Mapping[str, Writer]:
    """The writer of every kind, found in the operators' folders."""
    found: dict[str, Writer] = {}
    for module in sorted(iter_modules(specc.ops.__path__), key=lambda m: m.name):
        name = f"{specc.ops.__name__}.{module.name}.write"
        if module.ispkg and find_spec(name) is not None:
            for writer in import_module(name).WRITERS:
                found[writer.kind] = writer
    return Writers(found)


class Writers(dict[str, Writer]):
    """specc's own, and those of packages from outside, which are found when they are asked for."""

    def __missing__(self, kind: str) -> Writer:
        package = operator_package(kind)
        found: tuple[Writer, ...] = held(f"{package}.write", "WRITERS")
        self.update({writer.kind: writer for writer in found})
        if kind not in self:
            raise BrokenPackage(f"the installed package `{package}.write` has no writer of `{kind}`")
        return self[kind]


def is_function(kind: str) -> bool:
    """Whether an operator is a function of one tensor in generated code, without a layer."""
    return kind in writers() and writers()[kind].function


def varies(values: Values) -> bool:
    """Whether a number depends on a choice anywhere."""
    return any(isinstance(number, (Var, Apply)) for value in values for number in numbers(value))


def numbers(value: Value) -> Counts:
    """The numbers in a value: itself, or those of each run."""
    return value if isinstance(value, tuple) else (value,)


def channel_axis(sites: Sites) -> int:
    """The dimension of the channels of what enters: the last one of tokens [N, T, C], else the one after the batch."""
    return 2 if len(sites[0].inputs[0].space) == 1 else 1


def each(sites: Sites, read: Callable[[Site], Value]) -> Values:
    """A number at every site."""
    return tuple(read(site) for site in sites)


def channel_values(tensors: Sequence[Tensor]) -> Values:
    """The channels of a tensor at every site: a number, or, where they come in several runs, the number in each."""
    found = ((tensor, runs(tensor.channels)) for tensor in tensors)
    return tuple(tensor.features if len(counts) == 1 else counts for tensor, counts in found)


def entering(sites: Sites) -> Values:
    """The channels of the first input."""
    return channel_values([site.inputs[0] for site in sites])


def leaving(sites: Sites) -> Values:
    """The channels of the first output."""
    return channel_values([site.outputs[0] for site in sites])


def segmented(sites: Sites) -> bool:
    """Whether the channels that enter an op come in several runs anywhere."""
    return any(isinstance(value, tuple) for value in entering(sites))


def written_in_runs(sites: Sites) -> bool:
    """Whether the channels that leave an op come in several runs anywhere."""
    return any(isinstance(value, tuple) for value in leaving(sites))
