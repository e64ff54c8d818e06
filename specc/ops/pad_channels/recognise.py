"""Zero channels behind a map's own in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import arranged


def padded(node: Node, seen: Seen) -> Found | None:
    """`F.pad(x, (0, 0, 0, 0, 0, k))` of a map."""
    read = seen.read(node["self"], "map")
    pad = node.ints("pad")
    if read is None or len(pad) < 6 or any(pad[:5]) or any(pad[6:]) or pad[5] <= 0:
        return None
    if node["value"] not in (None, 0) or node["mode"] not in (None, "constant"):
        return None
    return Found("pad_channels", (read,), {"out": node.shape[1]}, axes=arranged("nchw", node.shape))


NODES: Final[Mapping[str, Recognise]] = {"aten.pad": padded, "aten.constant_pad_nd": padded}
