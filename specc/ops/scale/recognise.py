"""Products of a map with a vector in a trace, as at the end of squeeze-excite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.channels import in_one_axis, parts_axes
from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import View


def scaled(node: Node, seen: Seen) -> Found | None:
    """`x * gate`, in either order, where the gate has one number a channel."""
    for one, other in (("self", "other"), ("other", "self")):
        found = in_parts(node, node[one], node[other], seen)
        if found is not None:
            return found
        read, gate = seen.read(node[one]), gate_of(node[other], seen)
        if read is None or gate is None or read.kind == "vector" or gate.channels != read.channels:
            continue
        if node.shape == read.view.shape and meets(read, gate):
            return Found("scale", (read, gate))
    return None


def in_parts(node: Node, argument: object, gate: object, seen: Seen) -> Found | None:
    """Likewise where the channels of both lie in two axes, one of them for their parts."""
    view, other = seen.view(argument), seen.view(gate)
    if view is None or other is None or len(view.axes) != len(other.axes) or node.shape != view.shape:
        return None
    if (
        parts_axes(view) is None
        or parts_axes(view) != parts_axes(other)
        or any(theirs not in ((), mine) for mine, theirs in zip(view.axes, other.axes, strict=True))
    ):
        return None
    read, factors = (None if whole is None else seen.read(whole) for whole in map(in_one_axis, (view, other)))
    if read is None or factors is None or factors.kind != "vector" or read.kind == "vector":
        return None
    return Found("scale", (read, factors), axes=view.axes) if read.channels == factors.channels else None


def gate_of(argument: object, seen: Seen) -> Read | None:
    """A vector, also one that was expanded to the size of a map."""
    view = seen.view(argument)
    if view is None:
        return None
    axes = tuple(() if axis and axis[0].axis == "*" else axis for axis in view.axes)
    read = seen.read(View(view.base, axes, view.picks))
    return read if read is not None and read.kind == "vector" else None


def meets(read: Read, gate: Read) -> bool:
    """Whether the gate's images and channels stand against those of the tensor, and its other axes have size 1."""
    axes = read.view.axes[len(read.view.axes) - len(gate.view.axes) :]
    return len(axes) == len(read.view.axes) and all(
        mine == axis or not mine for mine, axis in zip(gate.view.axes, axes, strict=True)
    )


NODES: Final[Mapping[str, Recognise]] = {"aten.mul": scaled}
