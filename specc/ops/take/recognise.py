"""Taken tokens in a trace: the first of them, all others, or their mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Kind, Read, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import Digit, View


def first_token(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """`x[:, 0]` of tokens with a class token."""
    if wanted not in (None, "vector") or len(view.axes) not in (2, 3):
        return None
    read = with_class_token(view, seen, 0, 1)
    return None if read is None else Found("take", (read,), {"which": "class_token"}, kind="vector", axes=view.axes)


def other_tokens(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """`x[:, 1:]` of tokens with a class token."""
    if wanted not in (None, "tokens") or len(view.axes) != 3:
        return None
    read = with_class_token(view, seen, 1)
    return None if read is None else Found("take", (read,), {"which": "patches"}, kind="tokens", axes=view.axes)


def with_class_token(view: View, seen: Seen, start: int, length: int | None = None) -> Read | None:
    """The tokens with a class token of which a view shows `length` from `start` on, or all from there on."""
    if len(view.picks) != 1:
        return None
    (pick,) = view.picks
    length = pick.size - start if length is None else length
    channels = view.axes[-1]
    if (pick.axis, pick.low, pick.start, pick.length) != ("t", 1, start, length) or not channels:
        return None
    read = seen.read(View(view.base, (view.axes[0], (Digit("t", 1, pick.size),), channels)))
    of_token = read is not None and read.kind == "tokens" and channels[0].axis == "c"
    return read if read is not None and of_token and seen.follows(read, "class_token") else None


def only_token(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """`x[:, 0]` where there is but one token: its mean."""
    if len(view.axes) != 2 or wanted not in (None, "vector"):
        return None
    read = seen.read(View(view.base, (view.axes[0], (), view.axes[1]), view.picks))
    if read is None or read.kind != "tokens" or read.space != (1,):
        return None
    return Found("take", (read,), {"which": "mean"}, kind="vector", axes=view.axes)


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


VIEWS = (first_token, other_tokens, only_token)
NODES: Final[Mapping[str, Recognise]] = {"aten.mean": mean}
