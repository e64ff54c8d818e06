"""Learned factors of channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.channels import per_channel, single
from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, Weight


def layer_scale(node: Node, seen: Seen) -> Found | None:
    """`x * gamma`, in either order: a factor for each channel, or one for all."""
    for one, other in (("self", "other"), ("other", "self")):
        read = seen.read(node[one])
        if read is None or node.shape != read.view.shape:
            continue
        state = per_channel(node[other], read, seen)
        if state is not None:
            return Found("layer_scale", (read,), {}, {"weight": Weight((state.name,))})
        state = single(node[other], seen)
        if state is not None:
            return Found("layer_scale", (read,), {"channels": False}, {"weight": Weight((state.name,))})
    return None


NODES: Final[Mapping[str, Recognise]] = {"aten.mul": layer_scale}
