"""Learned factors of channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node, Weight
from specc.traced.views import View


def layer_scale(node: Node, seen: Seen) -> Found | None:
    """`x * gamma`, in either order, where a parameter has one number for each channel."""
    for one, other in (("self", "other"), ("other", "self")):
        made, view = seen.node(node[other], "state"), seen.view(node[other])
        if made is None or made.state is None or not made.state.trained or view is None:
            continue
        read = seen.read(node[one])
        if read is not None and node.shape == read.view.shape and stands_for_channels(view, read):
            return Found("layer_scale", (read,), {}, {"weight": Weight((made.state.name,))})
    return None


def stands_for_channels(view: View, read: Read) -> bool:
    """Whether a parameter's only axis of several numbers meets the channels."""
    axes = read.view.axes
    if view.picks or len(view.axes) > len(axes):
        return False
    padded = (*((),) * (len(axes) - len(view.axes)), *view.axes)
    meets = [mine for mine, axis in zip(padded, axes, strict=True) if any(digit.axis == "c" for digit in axis)]
    others = [mine for mine, axis in zip(padded, axes, strict=True) if not any(digit.axis == "c" for digit in axis)]
    if len(meets) != 1 or any(others) or len(meets[0]) != 1:
        return False
    return meets[0][0].low == 1 and meets[0][0].size == read.channels


NODES: Final[Mapping[str, Recognise]] = {"aten.mul": layer_scale}
