"""Learned positions in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, Weight


def position(node: Node, seen: Seen) -> Found | None:
    """`x + positions`, where each token has one."""
    if node["alpha"] not in (None, 1):
        return None
    for one, other in (("self", "other"), ("other", "self")):
        state = seen.state(node[other])
        if state is None or not state.trained:
            continue
        read = seen.read(node[one], "tokens")
        if read is None or not read.channels_last or read.view.shape[0] != seen.batch:
            continue
        if seen.shape(node[other])[-2:] != read.view.shape[-2:] or len(read.view.axes) != 3:
            continue
        return Found("position", (read,), {}, {"weight": Weight((state.name,))})
    return None


NODES: Final[Mapping[str, Recognise]] = {"aten.add": position}
