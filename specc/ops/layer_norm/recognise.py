"""Layer norms in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, by_token, taken
from specc.traced.graph import Node

LEARNED: Final[Mapping[tuple[str, ...], Mapping[str, object]]] = {
    ("weight", "bias"): {},
    ("weight",): {"bias": False},
    (): {"affine": False},
}
"""What a norm's setting says of the parameters that it has."""


def layer_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.layer_norm` over the channels alone, which come last."""
    read = by_token(node["input"], seen)
    weights = taken(seen, node)
    if read is None or weights is None or tuple(weights) not in LEARNED:
        return None
    if not read.channels_last or node.ints("normalized_shape") != (read.channels,):
        return None
    return Found("layer_norm", (read,), {"eps": node["eps"], **LEARNED[tuple(weights)]}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.layer_norm": layer_norm}
