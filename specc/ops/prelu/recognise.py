"""Rectifiers of a learned slope in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node
from specc.traced.views import channels_at


def prelu(node: Node, seen: Seen) -> Found | None:
    """`aten.prelu`, whose slopes are those of the second axis."""
    read, weights = seen.read(node["self"]), taken(seen, node)
    if read is None or weights is None:
        return None
    (slopes,) = seen.shape(node["weight"])
    if slopes > 1 and channels_at(read.view.axes) != 1:
        return None
    return Found("prelu", (read,), {"channels": slopes > 1}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.prelu": prelu}
