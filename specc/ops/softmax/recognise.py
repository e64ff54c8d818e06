"""The softmax over channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node


def softmax(node: Node, seen: Seen) -> Found | None:
    """`x.softmax(dim)` over the channels."""
    read = seen.read(node["self"])
    if read is None:
        return None
    axis = read.view.axes[cast(int, node["dim"]) % len(read.view.axes)]
    return Found("softmax", (read,)) if [digit.axis for digit in axis] == ["c"] else None


NODES: Final[Mapping[str, Recognise]] = {"aten.softmax": softmax}
