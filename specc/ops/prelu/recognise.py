"""The activation with a learned slope in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, Weight


def prelu(node: Node, seen: Seen) -> Found | None:
    """`aten.prelu`, whose channels are the second axis."""
    read, state = seen.read(node["self"]), seen.state(node["weight"])
    if read is None or state is None or read.kind == "tokens":
        return None
    if read.kind == "map" and seen.read(node["self"], "map") is None:
        return None
    several = seen.shape(node["weight"]) != (1,)
    parameters = {"channels": True} if several else {}
    return Found("prelu", (read,), parameters, {"weight": Weight((state.name,))})


NODES: Final[Mapping[str, Recognise]] = {"aten.prelu": prelu}
