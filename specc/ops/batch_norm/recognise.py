"""Batch norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node

STATES: Final = ("weight", "bias", "running_mean", "running_var")


def batch_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.batch_norm` with statistics of its own, on a map or a vector; with a scale and an offset, or neither."""
    read = seen.read(node["input"])
    weights = taken(seen, node, STATES)
    if read is None or read.kind == "tokens" or weights is None or tuple(weights) not in (STATES, STATES[2:]):
        return None
    if node["training"] or (read.kind == "map" and seen.read(node["input"], "map") is None):
        return None
    affine = {} if "weight" in weights else {"affine": False}
    return Found("batch_norm", (read,), {"eps": node["eps"], "momentum": node["momentum"], **affine}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.batch_norm": batch_norm}
