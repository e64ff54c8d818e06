"""Sums of tensors of one shape in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.channels import parts_axes, parts_of
from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import Axis, View, tokens_of


def added(node: Node, seen: Seen) -> Found | View | None:
    """`a + b` of two tensors that lie alike; `0 + b`, with which sums in a loop begin, is b."""
    if is_zero(node["other"]):
        return seen.view(node["self"])
    if node["alpha"] not in (None, 1):
        return None
    both = alike(node["self"], node["other"], seen)
    return None if both is None else Found("add", both, axes=best_known(*both))


def meet(one: Read, other: Read) -> bool:
    """Whether two tensors lie alike; tokens that were mixed are as good as the pixels that they were before."""
    if len(one.view.axes) != len(other.view.axes):
        return False
    return all(
        mine == theirs or (tokens_of(mine) is not None and tokens_of(mine) == tokens_of(theirs))
        for mine, theirs in zip(one.view.axes, other.view.axes, strict=True)
    )


def best_known(one: Read, other: Read) -> tuple[Axis, ...]:
    """The axes of the tensor of which it is known which pixels its tokens are."""
    digits = [digit.axis for axis in one.view.axes for digit in axis]
    return other.view.axes if "t" in digits else one.view.axes


def is_zero(argument: object) -> bool:
    return isinstance(argument, (int, float)) and argument == 0


def alike(one: object, other: object, seen: Seen) -> tuple[Read, Read] | None:
    """Two tensors of one kind and shape whose elements meet; of a map and tokens the map is read as tokens."""
    first, second = seen.read(one), seen.read(other)
    if first is None or second is None or not meet(first, second) or first.channels != second.channels:
        return None
    if first.kind != second.kind:
        first, second = seen.read(one, "tokens"), seen.read(other, "tokens")
        if first is None or second is None:
            return None
    return (first, second) if first.space == second.space else None


def summed(node: Node, seen: Seen) -> Found | None:
    """`x.sum(dim)` over the parts of channels that lie in two axes."""
    view, dims = seen.view(node["self"]), node.ints("dim")
    if view is None or len(dims) != 1 or node["keepdim"] or node["dtype"] is not None:
        return None
    axes = parts_axes(view)
    if axes is None or axes[0] != dims[0] % len(view.axes):
        return None
    reads = [seen.read(part) for part in parts_of(view)]
    found = tuple(read for read in reads if read is not None)
    return Found("add", found, axes=found[0].view.axes) if len(found) == len(reads) > 1 else None


NODES: Final[Mapping[str, Recognise]] = {"aten.add": added, "aten.sum": summed}
