"""What an operator, a method, a data set or a settings section takes: names, types, defaults, one line of help each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words, as in `pool(avg)`; with `numbers` a whole number may stand there, too."""

    words: tuple[str, ...]
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class Variants:
    """One of a few calls with parameters of their own, as in `optimizer=sgd(lr=0.1)`; a bare word is a call without
    arguments."""

    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b, ...]`, every item of one type. A single item may stand without brackets; where `alone` is given, what
    stands without them is a value of that type instead, and no list."""

    item: Type
    alone: Type | None = None


LARGEST_NUMBER: Final = 2**31 - 1
"""Sizes and counts beyond this are a slip, and what runs a network takes none."""

Plain: TypeAlias = Literal[
    "channels",  # a channel count; may be elastic, obeys the width setting
    "integer",  # a positive whole number, or a choice of such
    "count",  # a whole number from 0
    "number",  # any number
    "seconds",  # a time, written with its unit
    "flag",  # yes or no
    "text",  # "a string"
    "assignment",  # max, min or at(choice=option, ...)
    "tensors",  # all unnamed arguments: feature maps by name, `here`, or calls
    "bank",  # shared, skip, width, subnet or the name of a choice
]
Type: TypeAlias = Plain | Words | Variants | ListOf


@dataclass(frozen=True, slots=True)
class Required:
    """Stands as the default of a parameter that has none."""


REQUIRED: Final = Required()


@dataclass(frozen=True, slots=True)
class SameAs:
    """Stands as the default of a parameter that has the value of an earlier one where it is not given."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `elastic` says that a range, a set or a choice may stand there, `pair` that two numbers may, one
    for height and one for width. `at_largest` says that an expression of `in` stands for its number in the largest
    network.

    A number is more than `above`, at most `most` and less than `below`, where these are given.
    """

    name: str
    type: Type
    default: object = REQUIRED
    doc: str = ""
    elastic: bool = False
    pair: bool = False
    at_largest: bool = False
    below: int | None = None
    above: int | None = None
    most: int | None = None


def out_of_range(parameter: Parameter, number: int | Fraction) -> str:
    """What a number of this parameter must be, as `more than 0`; "" where it is so."""
    if parameter.above is not None and number <= parameter.above:
        return f"more than {parameter.above}"
    if parameter.below is not None and number >= parameter.below:
        return f"less than {parameter.below}"
    most = parameter.most
    if most is None and parameter.type in ("channels", "integer", "count"):
        most = LARGEST_NUMBER
    return f"at most {most:,}" if most is not None and number > most else ""


@dataclass(frozen=True, slots=True)
class Signature:
    """The name of something that can be called and its parameters, in the order in which they may stand unnamed.

    names     the parameters' names
    required  the parameters without a default; `needed` are the names of those that are no tensors
    defaults  the defaults of the others, but for tensors
    """

    name: str
    parameters: tuple[Parameter, ...] = ()
    doc: str = ""
    names: frozenset[str] = field(init=False, compare=False, repr=False)
    required: tuple[Parameter, ...] = field(init=False, compare=False, repr=False)
    needed: frozenset[str] = field(init=False, compare=False, repr=False)
    defaults: Mapping[str, object] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        required = [p for p in self.parameters if p.default is REQUIRED]
        given = {p.name: p.default for p in self.parameters if p.default is not REQUIRED and p.type != "tensors"}
        object.__setattr__(self, "names", frozenset([p.name for p in self.parameters]))
        object.__setattr__(self, "required", tuple(required))
        object.__setattr__(self, "needed", frozenset([p.name for p in required if p.type != "tensors"]))
        object.__setattr__(self, "defaults", given)


@dataclass(frozen=True, slots=True)
class Call:
    """An evaluated call of a `Variants` parameter, a method or a data set: every parameter has its value or its
    default."""

    name: str
    values: tuple[tuple[str, object], ...] = ()

    def __getitem__(self, parameter: str) -> object:
        for name, value in self.values:
            if name == parameter:
                return value
        raise KeyError(parameter)
