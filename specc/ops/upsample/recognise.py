"""Enlarged maps in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import arranged

MODES: Final[Mapping[str, str]] = {"aten.upsample_nearest2d": "nearest", "aten.upsample_bilinear2d": "bilinear"}


def enlarged(node: Node, seen: Seen) -> Found | None:
    """Whole times as high and wide."""
    read = seen.read(node.args.get("input", node["self"]), "map")
    if read is None or node["align_corners"]:
        return None
    factors = {after / before for after, before in zip(node.shape[2:], read.space, strict=True)}
    factor = factors.pop()
    if factors or factor != int(factor):
        return None
    parameters = {"factor": int(factor), "mode": MODES[node.target]}
    return Found("upsample", (read,), parameters, axes=arranged("nchw", node.shape))


NODES: Final[Mapping[str, Recognise]] = dict.fromkeys(MODES, enlarged)
