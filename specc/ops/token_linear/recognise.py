"""Fully connected layers along the tokens in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node
from specc.traced.views import Digit, channels_at, permuted, tokens_of


def token_linear(node: Node, seen: Seen) -> Found | None:
    """`aten.linear` on [N, C, T]."""
    view, weights = seen.view(node["input"]), taken(seen, node)
    if view is None or weights is None or len(view.axes) != 3 or channels_at(view.axes) != 1:
        return None
    if tokens_of(view.axes[2]) is None:
        return None
    read = seen.read(permuted(view, (0, 2, 1)), "tokens")
    if read is None or read.space != view.shape[2:]:
        return None
    out = seen.shape(node["weight"])[0]
    bias = {} if "bias" in weights else {"bias": False}
    along = view.axes[2] if out == view.shape[2] else (Digit("t", 1, out),)
    return Found("token_linear", (read,), {"out": out, **bias}, weights, axes=(*view.axes[:2], along))


NODES: Final[Mapping[str, Recognise]] = {"aten.linear": token_linear}
