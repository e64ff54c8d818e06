"""Group norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.ops.layer_norm.recognise import LEARNED
from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node


def group_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.group_norm` on a map."""
    read = seen.read(node["input"], "map")
    weights = taken(seen, node)
    if read is None or weights is None or tuple(weights) not in LEARNED:
        return None
    parameters = {"groups": node["num_groups"], "eps": node["eps"], **LEARNED[tuple(weights)]}
    return Found("group_norm", (read,), parameters, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.group_norm": group_norm}
