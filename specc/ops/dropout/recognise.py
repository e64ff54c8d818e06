"""Dropout in a trace: it does nothing in evaluation mode, and is known by its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import View


def dropout(node: Node, seen: Seen) -> Found | View | None:
    read = seen.read(node["input"])
    if node["p"] == 0:
        return seen.view(node["input"])
    return None if read is None else Found("dropout", (read,), {"rate": node["p"]})


NODES: Final[Mapping[str, Recognise]] = {
    "aten.dropout": dropout,
    "aten.feature_dropout": lambda node, seen: seen.view(node["input"]) if node["p"] == 0 else None,
}
