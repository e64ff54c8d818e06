"""RMS norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node

SMALLEST: Final = 2.0**-23
"""What torch adds where no eps is given: the distance of 1 from the next number of single precision."""


def rms_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.rms_norm` over the channels alone, which come last."""
    read, weights = seen.read(node["input"]), taken(seen, node, ("weight",))
    if read is None or weights is None or len(weights) != 1 or not read.channels_last:
        return None
    if node.ints("normalized_shape") != (read.channels,):
        return None
    eps = SMALLEST if node["eps"] is None else node["eps"]
    return Found("rms_norm", (read,), {"eps": eps}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.rms_norm": rms_norm}
