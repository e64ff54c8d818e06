"""What tracing found: one node for each call of an ATen operator, in the order of execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One level of the module stack in which an operation was executed.

    path  the module's path from the root, as PyTorch writes it: `layer1.0`; "" for the root
    type  its class, with the module it stands in: `torchvision.models.resnet.Bottleneck`
    call  which call of the module this is, from 0: a module that is called twice has two
    """

    path: str
    type: str
    call: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """Where one of our layer's parameters or buffers comes from.

    sources  names in the original's state_dict
    how      what becomes of them, of a small closed vocabulary whose members have an inverse:
             `same`                 its numbers in their order; where our shape is another, reshaped
             `join`                 the sources one after another along the first axis
             `rows A,B,C by 1,0,2`  rows counted by three digits of these sizes, in another order of the digits
    """

    sources: tuple[str, ...]
    how: str = "same"


@dataclass(frozen=True, slots=True)
class Ref:
    """An argument that is a tensor: the name of the node that makes it."""

    name: str


@dataclass(frozen=True, slots=True)
class State:
    """What a node of target `state` holds: a parameter, buffer or constant.

    name     in the original's state_dict; of a constant that is in none, a name of its own
    trained  whether it is a parameter
    kept     whether it stands in the state_dict
    numbers  of a buffer or constant: its values, row by row; () for what is trained, and for very large ones
    """

    name: str
    trained: bool
    kept: bool = True
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """One call of an ATen operator, one input or one parameter.

    name     unique: the name of the value it makes
    target   `aten.conv2d`, without overload and without the `_` of what works in place; `input`, `state`, `item`
             for one result of a node with several, or `traced.drops_images` for stochastic depth
    args     all arguments by the names of the operator's schema, defaults included; tensors are `Ref`s
    shape    the result's, batch included; of several results, of each its own in `shapes`
    dtype    of the result: `float32`
    place    the line that makes the call, outside of torch, and `code`, what stands there
    call     the overload: `add.Tensor`; `named` are the arguments that it takes by name alone
    """

    name: str
    target: str
    args: Mapping[str, object]
    shape: tuple[int, ...]
    stack: tuple[Frame, ...] = ()
    place: str = ""
    state: State | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    dtype: str = "float32"
    code: str = ""
    call: str = ""
    named: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()

    def __getitem__(self, argument: str) -> object:
        return self.args.get(argument)

    def ints(self, argument: str) -> tuple[int, ...]:
        """An argument that is a number or several, as a tuple; () where it is missing."""
        value = self.args.get(argument)
        if value is None:
            return ()
        return tuple(value) if isinstance(value, (tuple, list)) else (value,)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced network. Nodes stand in the order of execution; `output` names the node whose value is returned.

    batch   the number of images it was traced with
    inputs  the names of the nodes of target `input`, in the order of the module's arguments
    unused  the parameters that the result does not depend on
    frozen  the parameters that are not trained
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    output: str
    batch: int
    unused: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
