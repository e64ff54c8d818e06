"""How an operator of the language says where it is in a traced network.

A folder of specc/ops may hold a file `recognise.py` with

    NODES: Final[Mapping[str, Recognise]]     by ATen operator: asked at each such node, in the order of execution
    VIEWS: tuple[Reads, ...]                  asked where an operation reads a tensor that lies otherwise than any
                                              operator left it: flattened, shuffled, cut in parts, as tokens

Each gets the node (or view) and `Seen`, which knows what was found for all nodes before it. A function of NODES stands
at the *last* node of its pattern and looks back: `x * sigmoid(x)` is found at the product. Of several answers for one
node that which stands for the most nodes wins, and what it stood for is dropped where nothing else reads it. An answer
need not be sure: parameters, costs and outputs of the whole network are compared before anything is written.

Reshapes and permutations are no operations: `Seen` looks through them (`specc.traced.views`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from specc.traced.graph import Node, State, Weight
from specc.traced.views import Axis, Digit, View

Kind: TypeAlias = Literal["map", "tokens", "vector"]


@dataclass(frozen=True, slots=True)
class Read:
    """A tensor that an operation of ours made, and how the trace looks at it.

    value     its name
    kind      what it is for the language
    view      how the trace's tensor lies in it
    channels  how many
    space     (height, width) of a map, (tokens,), or ()
    """

    value: str
    kind: Kind
    view: View
    channels: int
    space: tuple[int, ...]

    @property
    def lies(self) -> str:
        """The traced tensor's axes, a letter each: `nchw`, `nhwc`, `ntc`. A dot for what is of size 1, `?` for what
        counts several axes or parts of one. Tokens of a map have `t`."""
        return "".join(letter(axis) for axis in self.view.axes)

    @property
    def channels_last(self) -> bool:
        """Whether the last axis counts the channels."""
        axes = self.view.axes
        return bool(axes) and (axes[-1] == (Digit("c", 1, self.channels),) or (self.channels == 1 and axes[-1] == ()))


def letter(axis: Axis) -> str:
    if not axis:
        return "."
    if len(axis) == 1:
        return axis[0].axis if axis[0].low == 1 else "?"
    return "t" if [digit.axis for digit in axis] == ["h", "w"] else "?"


@dataclass(frozen=True, slots=True)
class Found:
    """An operation of the language, found at a node or in a view.

    operator    its kind
    inputs      what it reads, in the operator's order
    parameters  arguments of the call by the operator's names
    weights     our layer's state names, and where each comes from
    kind        of the result; the first input's where it is not said
    axes        how the traced result lies in ours; as the first input's where it is not said. `like` helps
    nodes       the nodes that it stands for beside the one it was asked at, where they are more than that one
    parts       of an operator with several results: how many channels each has
    part        which of these the view that was asked about is
    otherwise   other arguments that mean the same here: those are taken that modules of the same place have
    """

    operator: str
    inputs: tuple[Read, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    kind: Kind | None = None
    axes: tuple[Axis, ...] | None = None
    nodes: tuple[Node, ...] = ()
    parts: tuple[int, ...] = ()
    part: int = 0
    otherwise: tuple[Mapping[str, object], ...] = ()


class Seen(Protocol):
    """What is known at a node."""

    batch: int

    def read(self, argument: object, kind: Kind | None = None) -> Read | None:
        """The argument as a tensor of ours, whose channels stand in one axis; None where it is none (yet).

        With a kind, as that: where it is another, an operator that turns one into the other is put between.
        A map is then read as `nchw`, or not at all.
        """
        ...

    def view(self, argument: object) -> View | None:
        """What the argument looks at; None for what is no tensor."""
        ...

    def node(self, argument: object, *targets: str) -> Node | None:
        """The node that computed the argument, reshapes seen through; None if it is none of these targets."""
        ...

    def state(self, argument: object) -> State | None:
        """The parameter or buffer that the argument is, as a whole and in its own shape."""
        ...

    def shape(self, argument: object) -> tuple[int, ...]:
        """The shape of an argument that is a tensor; () for others."""
        ...

    def cuts(self, view: View) -> tuple[int, ...]:
        """Where the trace cuts the digit that a view's last pick is of: from 0 to the digit's size."""
        ...

    def follows(self, read: Read, operator: str) -> bool:
        """Whether an operation of this kind stands before a tensor, on any way from the network's input."""
        ...


Recognise: TypeAlias = Callable[[Node, Seen], "Found | View | None"]
"""Asked at a node: what it is, or that it is but a view (what changes nothing in eval mode), or None."""
Reads: TypeAlias = Callable[[View, "Kind | None", Seen], "Found | None"]
"""Asked about a view and the kind that is wanted of it."""


def by_token(argument: object, seen: Seen) -> Read | None:
    """A tensor as an operation on every token or pixel reads it: a map that lies as [N, H * W, C] is read as tokens."""
    read = seen.read(argument)
    if read is not None and read.kind == "map" and len(read.view.axes) == 3 and read.channels_last:
        return seen.read(argument, "tokens") or read
    return read


def like(read: Read, channels: int | None = None) -> tuple[Axis, ...]:
    """The axes of an input, for a result that lies as it does; with another number of channels."""
    if channels is None or channels == read.channels:
        return read.view.axes
    whole = (Digit("c", 1, channels),) if channels != 1 else ()
    at = [i for i, axis in enumerate(read.view.axes) if any(digit.axis == "c" for digit in axis)]
    if not at:  # one channel: it is the last axis of what is no map
        at = [1 if read.kind == "map" and len(read.view.axes) == 4 else len(read.view.axes) - 1]
    return tuple(whole if i == at[0] else axis for i, axis in enumerate(read.view.axes))


def taken(seen: Seen, node: Node, names: Sequence[str] = ("weight", "bias")) -> Mapping[str, Weight] | None:
    """The states that a node's arguments are, as weights of the same names; without those that are None. None where
    one is computed instead."""
    weights: dict[str, Weight] = {}
    for name in names:
        if node[name] is None:
            continue
        state = seen.state(node[name])
        if state is None:
            return None
        weights[name] = Weight((state.name,))
    return weights


def both(values: tuple[int, ...]) -> tuple[int, int]:
    """What torch has for height and width, where it may have one number for both."""
    return (values[0], values[-1])


def pair(height: int, width: int) -> int | tuple[int, int]:
    """How a call writes a height and a width: one number where they are equal."""
    return height if height == width else (height, width)
