"""Instance norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node


def instance_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.instance_norm` of a map, by the statistics of each image itself."""
    read, weights = seen.read(node["input"], "map"), taken(seen, node)
    if read is None or weights is None or not node["use_input_stats"] or len(weights) not in (0, 2):
        return None
    return Found("instance_norm", (read,), {"eps": node["eps"], "affine": bool(weights)}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.instance_norm": instance_norm}
