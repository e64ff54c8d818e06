"""Products and differences of two tensors in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import View, tokens_of


def pointwise(kind: str) -> Recognise:
    """The recogniser of `a * b` or `a - b`, both of one shape, or one with a number for each channel or place."""

    def recognise(node: Node, seen: Seen) -> Found | None:
        if node["alpha"] not in (None, 1):
            return None
        left, right = unexpanded(node["self"], seen), unexpanded(node["other"], seen)
        if left is None or right is None or left.kind != right.kind:
            return None
        whole = left if left.view.shape == node.shape else right
        if whole.view.shape != node.shape or not (meets(whole, left) and meets(whole, right)):
            return None
        return Found(kind, (left, right), axes=whole.view.axes)

    return recognise


def unexpanded(argument: object, seen: Seen) -> Read | None:
    """A tensor as it was before it was repeated to the size of another."""
    view = seen.view(argument)
    if view is None:
        return None
    axes = tuple(() if axis and axis[0].axis == "*" else axis for axis in view.axes)
    return seen.read(View(view.base, axes, view.picks))


def meets(whole: Read, part: Read) -> bool:
    """Whether each axis of a tensor counts what that of the other does, or has size 1; all of channels or of places."""
    if len(whole.view.axes) != len(part.view.axes):
        return False
    if not all(
        mine in (axis, ()) or (tokens_of(mine) is not None and tokens_of(mine) == tokens_of(axis))
        for mine, axis in zip(part.view.axes, whole.view.axes, strict=True)
    ):
        return False
    if part.channels == whole.channels:
        return all(mine in (1, size) for mine, size in zip(part.space, whole.space, strict=True))
    return part.channels == 1 and part.space == whole.space


def square(node: Node, seen: Seen) -> Found | None:
    """`x ** 2`: a tensor times itself."""
    read = seen.read(node["self"])
    if read is None or (node.target == "aten.pow" and node["exponent"] != 2):
        return None
    return Found("multiply", (read, read))


NODES: Final[Mapping[str, Recognise]] = {
    "aten.mul": pointwise("multiply"),
    "aten.sub": pointwise("subtract"),
    "aten.pow": square,
    "aten.square": square,
}
