"""Products of a map with a vector in a trace, as at the end of squeeze-excite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import View


def scaled(node: Node, seen: Seen) -> Found | None:
    """`x * gate`, in either order, where the gate has one number a channel."""
    for one, other in (("self", "other"), ("other", "self")):
        read, gate = seen.read(node[one]), gate_of(node[other], seen)
        if read is None or gate is None or read.kind == "vector" or gate.channels != read.channels:
            continue
        if node.shape == read.view.shape and meets(read, gate):
            return Found("scale", (read, gate))
    return None


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
