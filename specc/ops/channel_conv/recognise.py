"""Convolutions along the channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node


def along_channels(node: Node, seen: Seen) -> Found | None:
    """`aten.conv1d` from one channel to one, on [N, 1, C]."""
    read, weights, shape = seen.read(node["input"]), taken(seen, node), seen.shape(node["weight"])
    if read is None or weights is None or read.kind != "vector" or not read.channels_last:
        return None
    if shape[:2] != (1, 1) or len(read.view.axes) != 3 or node.shape != read.view.shape:
        return None
    kernel = shape[2]
    if kernel % 2 == 0 or node.ints("stride") not in ((), (1,)) or node.ints("dilation") not in ((), (1,)):
        return None
    bias = {"bias": True} if "bias" in weights else {}
    return Found("channel_conv", (read,), {"kernel": kernel, **bias}, weights)


NODES: Final[Mapping[str, Recognise]] = {"aten.conv1d": along_channels}
