"""Pixels and channels that change places, in a trace: as an operator of its own, or as a permutation of digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isqrt
from typing import Final, cast

from specc.traced.found import Found, Kind, Reads, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import Axis, Digit, View, arranged


def shuffled(node: Node, seen: Seen) -> Found | None:
    """`aten.pixel_shuffle` and `aten.pixel_unshuffle`."""
    read = seen.read(node["self"], "map")
    if read is None:
        return None
    axes = arranged("nchw", node.shape)
    if node.target == "aten.pixel_shuffle":
        return Found("pixel_shuffle", (read,), {"factor": node["upscale_factor"]}, axes=axes)
    return Found("space_to_depth", (read,), {"factor": node["downscale_factor"]}, axes=axes)


def blocks(view: View, kind: Kind | None, seen: Seen) -> Found | None:
    """A map whose channels count pixels of a block beside its channels, as reshapes and a permutation make it."""
    if view.picks or len(view.axes) != 4 or kind not in (None, "map"):
        return None
    at = next((i for i in (1, 3) if len(view.axes[i]) == 3), None)
    if at is None:
        return None
    order = ORDERS.get("".join(digit.axis for digit in view.axes[at]))
    channels = next((digit for digit in view.axes[at] if digit.axis == "c"), None)
    fine = [digit for digit in view.axes[at] if digit.axis != "c"]
    if order is None or channels is None or any(digit.low != 1 or digit.size != fine[0].size for digit in fine):
        return None
    rest = [axis for i, axis in enumerate(view.axes) if i != at]
    return merged(view.base, (rest[0], (channels,), rest[1], rest[2]), fine[0].size, order, at, seen)


ORDERS: Final[Mapping[str, str]] = {"chw": "pixels", "hwc": "channels", "whc": "columns"}
"""What `order` calls the digits of a channel, by what they count."""


def merged(base: str, axes: tuple[Axis, ...], factor: int, order: str, at: int, seen: Seen) -> Found | None:
    """The merging of blocks of a map, of which [N, C, H, W] are the axes without what is merged. `at`: where the result
    has its channels."""
    height, width = axes[2:]
    shape = View("", axes).shape
    rows, columns = (Digit(axis, factor, size) for axis, size in zip("hw", shape[2:], strict=True))
    if height not in ((rows,), ()) or width not in ((columns,), ()):
        return None
    before = arranged("nchw", (shape[0], shape[1], shape[2] * factor, shape[3] * factor))
    read = seen.read(View(base, before if at == 1 else (before[0], *before[2:], before[1])))
    if read is None or read.kind != "map" or read.channels != shape[1]:
        return None
    parameters: dict[str, object] = {"factor": factor} | ({} if order == "pixels" else {"order": order})
    after = arranged("nchw", (shape[0], shape[1] * factor**2, *shape[2:]))
    return Found("space_to_depth", (read,), parameters, axes=after if at == 1 else (after[0], *after[2:], after[1]))


def side_by_side(node: Node, seen: Seen) -> Found | None:
    """`cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], ..], -1)`: the pixels of each block, every one with all channels."""
    parts = [seen.view(part) for part in cast("tuple[object, ...]", node["tensors"])]
    first = parts[0]
    if first is None or len(first.axes) != 4 or not isinstance(node["dim"], int):
        return None
    at, factor = node["dim"] % 4, isqrt(len(parts))
    if at not in (1, 3) or factor < 2 or factor**2 != len(parts):
        return None
    places = [place_in_block(part, first, factor) for part in parts]
    rows = [(i, j) for i in range(factor) for j in range(factor)]
    order = "channels" if places == rows else "columns" if places == [(j, i) for i, j in rows] else None
    if order is None:
        return None
    rest = [axis for i, axis in enumerate(first.axes) if i != at]
    found = merged(first.base, (rest[0], first.axes[at], rest[1], rest[2]), factor, order, at, seen)
    return None if found is None else replace(found, nodes=(node,))


def place_in_block(part: View | None, first: View, factor: int) -> tuple[int, int] | None:
    """The row and the column of a block that a view looks at, where it looks at one pixel of each as another does."""
    if part is None or (part.base, part.axes) != (first.base, first.axes):
        return None
    found = {pick.axis: pick.start for pick in part.picks if (pick.low, pick.size, pick.length) == (1, factor, 1)}
    return (found["h"], found["w"]) if len(part.picks) == 2 and found.keys() == {"h", "w"} else None


NODES: Final[Mapping[str, Recognise]] = {
    "aten.pixel_shuffle": shuffled,
    "aten.pixel_unshuffle": shuffled,
    "aten.cat": side_by_side,
    "aten.concat": side_by_side,
}
VIEWS: Final[tuple[Reads, ...]] = (blocks,)
