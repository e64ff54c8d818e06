"""Instance norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node


def instance_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.instance_norm` on a map, by the statistics of each image."""
    read, weights = seen.read(node["input"], "map"), taken(seen, node)
    if read is None or weights is None or not node["use_input_stats"] or node["running_mean"] is not None:
        return None
    affine = {} if len(weights) == 2 else {"affine": False}
    return Found("instance_norm", (read,), {"eps": node["eps"], **affine}, weights) if len(weights) != 1 else None


NODES: Final[Mapping[str, Recognise]] = {"aten.instance_norm": instance_norm}
