"""The softmax over parts of the channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.traced.channels import in_one_axis
from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node


def part_softmax(node: Node, seen: Seen) -> Found | None:
    """`x.softmax(dim)` of channels that lie in two axes, one for the parts, over that one."""
    view = seen.view(node["self"])
    if view is None or len(view.axes) != len(node.shape):
        return None
    axis = view.axes[cast(int, node["dim"]) % len(view.axes)]
    whole = in_one_axis(view)
    read = None if whole is None else seen.read(whole)
    if read is None or len(axis) != 1 or axis[0].axis != "c" or axis[0].low * axis[0].size != read.channels:
        return None
    return Found("part_softmax", (read,), {"parts": axis[0].size}, axes=view.axes)


NODES: Final[Mapping[str, Recognise]] = {"aten.softmax": part_softmax}
