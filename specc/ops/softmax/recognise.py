"""Softmaxes over channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import channels_at


def softmax(node: Node, seen: Seen) -> Found | None:
    read = seen.read(node["self"])
    dim = node["dim"]
    if read is None or not isinstance(dim, int):
        return None
    return Found("softmax", (read,)) if channels_at(read.view.axes) == dim % len(node.shape) else None


NODES: Final[Mapping[str, Recognise]] = {"aten.softmax": softmax}
