"""Tensors joined along their channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.traced.found import Found, Read, Recognise, Seen, like
from specc.traced.graph import Node
from specc.traced.views import View


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


NODES: Final[Mapping[str, Recognise]] = {"aten.cat": joined, "aten.concat": joined, "aten.concatenate": joined}
