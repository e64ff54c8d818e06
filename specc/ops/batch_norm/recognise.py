"""Batch norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node

STATES: Final = ("weight", "bias", "running_mean", "running_var")


def batch_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.batch_norm` with its own scale, offset and statistics, on a map or a vector."""
    read = seen.read(node["input"])
    weights = taken(seen, node, STATES)
    if read is None or read.kind == "tokens" or weights is None or len(weights) != len(STATES):
        return None
    if node["training"] or (read.kind == "map" and seen.read(node["input"], "map") is None):
        return None
    return Found("batch_norm", (read,), {"eps": node["eps"], "momentum": node["momentum"]}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.batch_norm": batch_norm}
