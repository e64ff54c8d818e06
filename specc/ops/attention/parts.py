"""Between which tokens an attention in a trace is: all of them, those of a map's windows, or those of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from specc.ops.attention.places import Pair
from specc.ops.attention.scored import counts
from specc.traced.found import Read, Seen, pair
from specc.traced.graph import Node, Ref
from specc.traced.views import Axis, Digit, View, joined

PADS: Final = ("aten.pad", "aten.constant_pad_nd")


@dataclass(frozen=True, slots=True)
class Source:
    """What an attention reads.

    space  height and width of a map with the zeros that fill its last windows; () of tokens
    shift  how far it was moved up and to the left before it was cut into windows
    nodes  what filled and moved it
    """

    read: Read
    space: tuple[int, ...]
    shift: Pair = (0, 0)
    nodes: tuple[Node, ...] = ()

    @property
    def filled(self) -> bool:
        return self.space != self.read.space


def source_of(argument: object, seen: Seen) -> Source | None:
    """The source of what is projected to queries, keys and values, before windows were made of it."""
    read = seen.read(argument)
    filled = None if read is None else seen.node(argument, *PADS)
    if read is not None and filled is None:
        return Source(read, read.space)
    roll = seen.node(argument, "aten.roll")
    shift = (0, 0) if roll is None else moved(roll, seen)
    inner = argument if roll is None else roll["self"]
    pad = seen.node(inner, *PADS)
    base = pad if roll is None else roll
    view = None if base is None else seen.view(Ref(base.name))
    nodes = () if roll is None else (roll,)
    if shift is None or view is None:
        return None
    if pad is not None:
        if not fills_with_zeros(pad):
            return None
        inner, nodes = next(iter(pad.args.values())), (pad, *nodes)
    read = seen.read(inner)
    if read is None or read.kind != "map":
        return None
    sides = [max((counts(axis, name) for axis in view.axes), default=1) for name in "hw"]
    return Source(read, tuple(sides), (-shift[0], -shift[1]), nodes)


def moved(roll: Node, seen: Seen) -> Pair | None:
    """How far `roll` moves a map down and to the right; None where it moves something else."""
    view = seen.view(roll["self"])
    dims = roll.ints("dims")
    if view is None or len(dims) != len(roll.ints("shifts")):
        return None
    by = {"h": 0, "w": 0}
    for dim, shift in zip(dims, roll.ints("shifts"), strict=True):
        axis = view.axes[dim]
        if len(axis) != 1 or axis[0].axis not in by or axis[0].low != 1:
            return None
        by[axis[0].axis] += shift
    return by["h"], by["w"]


def fills_with_zeros(pad: Node) -> bool:
    """Whether rows and columns of zeros are put at the bottom and the right of [N, H, W, C]."""
    sides = pad.ints("pad")
    plain = pad["mode"] in (None, "constant") and pad["value"] in (None, 0)
    return plain and len(sides) in (4, 6) and all(sides[i] == 0 for i in (0, 1, 2, 4) if i < len(sides))


@dataclass(frozen=True, slots=True)
class Part:
    """The tokens that look at each other: arguments of the call, and height and width of a part of a map."""

    parameters: Mapping[str, object]
    area: Pair | None = None


def part_of(q: View, source: Source, batch: int) -> Part | None:
    """The part that queries [images and parts, heads, tokens, features] are of; None where it is none of ours."""
    images, tokens = q.axes[0], q.axes[2]
    image = (Digit("n", 1, batch),) if batch != 1 else ()
    if source.read.kind == "tokens":
        whole = View("", (tokens,)).shape == source.read.space and images == image
        return Part({}) if whole else None
    if source.read.kind != "map":
        return None
    height, width = source.space
    rows, columns = counts(tokens, "h"), counts(tokens, "w")
    if height % rows or width % columns:
        return None
    more = (height // rows, width // columns)
    window = (Digit("h", 1, rows), Digit("w", 1, columns)), (Digit("h", rows, more[0]), Digit("w", columns, more[1]))
    grid = (Digit("h", more[0], rows), Digit("w", more[1], columns)), (Digit("h", 1, more[0]), Digit("w", 1, more[1]))
    for name, (inside, between) in (("window", window), ("grid", grid)):
        if is_same(tokens, joined(inside)) and is_same(images, (*image, *joined(between))):
            covered = more == (1, 1) and not source.filled
            return Part({} if covered else {name: pair(rows, columns)}, (rows, columns))
    return None


def is_same(axis: Axis, other: Axis) -> bool:
    """Whether two axes count the same, in whatever order."""
    return sorted(axis, key=by_place) == sorted(other, key=by_place)


def by_place(digit: Digit) -> tuple[str, int, int]:
    return digit.axis, digit.low, digit.size


def in_rows(q: View, part: Part) -> bool:
    """Whether the tokens of a part stand row by row."""
    names = [digit.axis for digit in q.axes[2]]
    return part.area is None or names == sorted(names)


def shifted(part: Part, source: Source) -> Part | None:
    """The part with its shift; None where there are no windows that may be moved."""
    if source.shift == (0, 0):
        return part
    window = part.parameters.get("window")
    if window is None:
        return None
    return replace(part, parameters={**part.parameters, "shift": pair(*source.shift)})


def goes_back(roll: Node, source: Source, seen: Seen) -> bool:
    """Whether a `roll` undoes the shift."""
    return source.shift != (0, 0) and moved(roll, seen) == source.shift


def is_cropped_to(view: View, source: Source) -> bool:
    """Whether a view leaves away the rows and columns that filled the last windows."""
    left = {(pick.axis, pick.start, pick.length) for pick in view.picks}
    wanted = {
        (name, 0, size)
        for name, size, whole in zip("hw", source.read.space, source.space, strict=True)
        if size != whole
    }
    return left == wanted


def place_of_channels(target: str) -> int:
    """Which axis of a projection's input and result holds the channels."""
    return 1 if target == "aten.conv2d" else -1
