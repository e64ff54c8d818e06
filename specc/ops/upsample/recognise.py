"""Enlarged maps in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import arranged

MODES: Final[Mapping[str, str]] = {
    "aten.upsample_nearest2d": "nearest",
    "aten.upsample_bilinear2d": "bilinear",
    "aten.upsample_bicubic2d": "bicubic",
}


def enlarged(node: Node, seen: Seen) -> Found | None:
    """By a whole factor, or to a size."""
    read = seen.read(node.args.get("input", node["self"]), "map")
    if read is None:
        return None
    after = node.shape[2:]
    parameters: dict[str, object] = {"mode": MODES[node.target]}
    if any(new % old for new, old in zip(after, read.space, strict=True)):
        parameters["size"] = after[0] if after[0] == after[1] else after
    else:
        times = [new // old for new, old in zip(after, read.space, strict=True)]
        parameters["factor"] = times[0] if times[0] == times[1] else tuple(times)
    if node["align_corners"]:
        parameters["align_corners"] = True
    return Found("upsample", (read,), parameters, axes=arranged("nchw", node.shape))


NODES: Final[Mapping[str, Recognise]] = dict.fromkeys(MODES, enlarged)
