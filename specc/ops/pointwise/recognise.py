"""Products and differences of two tensors in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node


def multiplied(node: Node, seen: Seen) -> Found | None:
    """`a * b` of one shape, or of one with a number for each place of the other."""
    reads = operands(node, seen)
    return None if reads is None else Found("multiply", reads, axes=wider(*reads).view.axes)


def subtracted(node: Node, seen: Seen) -> Found | None:
    """`a - b`."""
    reads = operands(node, seen) if node["alpha"] in (None, 1) else None
    return None if reads is None else Found("subtract", reads, axes=wider(*reads).view.axes)


def operands(node: Node, seen: Seen) -> tuple[Read, Read] | None:
    left, right = seen.read(node["self"]), seen.read(node["other"])
    if left is None or right is None or left.kind != right.kind or left.space != right.space:
        return None
    if left.view.axes == right.view.axes or per_place(left, right) or per_place(right, left):
        return left, right
    return None


def per_place(one: Read, whole: Read) -> bool:
    """Whether one has a single channel that meets all of the other's."""
    if one.channels != 1 or whole.kind == "vector" or len(one.view.axes) != len(whole.view.axes):
        return False
    return all(mine == axis or not mine for mine, axis in zip(one.view.axes, whole.view.axes, strict=True))


def wider(left: Read, right: Read) -> Read:
    return left if left.channels >= right.channels else right


NODES: Final[Mapping[str, Recognise]] = {"aten.mul": multiplied, "aten.sub": subtracted}
