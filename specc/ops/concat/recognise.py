"""Tensors joined along their channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.traced.found import Found, Read, Recognise, Seen, like
from specc.traced.graph import Node
from specc.traced.views import Digit, View


def joined(node: Node, seen: Seen) -> Found | View | None:
    """`torch.cat` of two or more that lie alike, along the axis of the channels."""
    parts = cast("tuple[object, ...]", node["tensors"])
    if len(parts) == 1:
        return seen.view(parts[0])
    reads = [seen.read(part) for part in parts]
    if len(reads) < 2 or any(read is None for read in reads):
        return None
    found = tuple(cast(Read, read) for read in reads)
    first = found[0]
    total = sum(read.channels for read in found)
    axes = like(first, total)
    if any(read.kind != first.kind or read.space != first.space or like(read, total) != axes for read in found):
        return None
    dim = cast(int, node["dim"]) % len(axes)
    if not any(digit.axis == "c" for digit in axes[dim]):
        return None
    return Found("concat", found, axes=axes)


def stacked(node: Node, seen: Seen) -> Found | None:
    """`torch.stack` of maps, tokens or vectors that lie alike: their channels joined, with an axis for the parts."""
    parts = cast("tuple[object, ...]", node["tensors"])
    found = [read for read in map(seen.read, parts) if read is not None]
    if len(found) < 2 or len(found) < len(parts) or found[0].channels == 1:
        return None
    first = found[0]
    if any((read.kind, read.space, read.view.axes) != (first.kind, first.space, first.view.axes) for read in found):
        return None
    axes = [*first.view.axes]
    axes.insert(cast(int, node["dim"]) % len(node.shape), (Digit("c", first.channels, len(found)),))
    return Found("concat", tuple(found), axes=tuple(axes))


NODES: Final[Mapping[str, Recognise]] = {
    "aten.cat": joined,
    "aten.concat": joined,
    "aten.concatenate": joined,
    "aten.stack": stacked,
}
