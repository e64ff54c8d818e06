"""Tokens to one vector in a trace: the first of them, or their mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Kind, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import Digit, View


def first_token(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """`x[:, 0]` of tokens."""
    if len(view.picks) != 1 or wanted not in (None, "vector"):
        return None
    pick = view.picks[0]
    if (pick.axis, pick.low, pick.start, pick.length) != ("t", 1, 0, 1) or len(view.axes) not in (2, 3):
        return None
    channels = view.axes[-1]
    if not channels or channels[0].axis != "c":
        return None
    read = seen.read(View(view.base, (view.axes[0], (Digit("t", 1, pick.size),), channels)))
    if read is None or read.kind != "tokens" or not seen.follows(read, "class_token"):
        return None
    return Found("take", (read,), {"which": "class_token"}, kind="vector", axes=view.axes)


def mean(node: Node, seen: Seen) -> Found | None:
    """`x.mean(1)` of tokens."""
    read = seen.read(node["self"])
    if read is None or read.kind != "tokens":
        return None
    rank = len(read.view.axes)
    over = {i % rank for i in node.ints("dim")}
    gone = [digit.axis for i in sorted(over) for digit in read.view.axes[i]]
    if gone not in (["t"], ["h", "w"]) or read.space != (over_size(read.view, over),):
        return None
    axes = tuple(() if i in over else axis for i, axis in enumerate(read.view.axes) if i not in over or node["keepdim"])
    return Found("take", (read,), {"which": "mean"}, kind="vector", axes=axes)


def over_size(view: View, over: set[int]) -> int:
    size = 1
    for i in over:
        for digit in view.axes[i]:
            size *= digit.size
    return size


VIEWS = (first_token,)
NODES: Final[Mapping[str, Recognise]] = {"aten.mean": mean}
