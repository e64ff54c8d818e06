"""Borders around maps in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import arranged

MODES: Final[Mapping[object, str]] = {
    None: "zeros",
    "constant": "zeros",
    **{mode: mode for mode in ("reflect", "replicate", "circular")},
}
TARGETS: Final[Mapping[str, str]] = {
    "aten.pad": "",
    "aten.constant_pad_nd": "zeros",
    "aten.reflection_pad2d": "reflect",
    "aten.replication_pad2d": "replicate",
}


def bordered(node: Node, seen: Seen) -> Found | None:
    """`F.pad(x, (left, right, top, bottom))` of a map."""
    read = seen.read(node.args.get("self", node["input"]), "map")
    sides = node.ints("pad") or node.ints("padding")
    mode = TARGETS[node.target] or MODES.get(node["mode"])
    if read is None or mode is None or len(sides) not in (2, 4) or min(sides) < 0 or not any(sides):
        return None
    if mode == "zeros" and node["value"] == float("-inf"):
        mode = "lowest"
    if mode == "zeros" and node["value"] not in (None, 0):
        return None
    left, right, top, bottom = (*sides, 0, 0)[:4]
    found = {"top": top, "bottom": bottom, "left": left, "right": right}
    parameters: dict[str, object] = {side: size for side, size in found.items() if size}
    if mode != "zeros":
        parameters["mode"] = mode
    return Found("pad", (read,), parameters, axes=arranged("nchw", node.shape))


NODES: Final[Mapping[str, Recognise]] = dict.fromkeys(TARGETS, bordered)
