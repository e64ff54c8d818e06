"""Learned factors of channels in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.channels import per_channel
from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, Weight


def layer_scale(node: Node, seen: Seen) -> Found | None:
    """`x * gamma`, in either order."""
    for one, other in (("self", "other"), ("other", "self")):
        read = seen.read(node[one])
        state = None if read is None else per_channel(node[other], read, seen)
        if read is not None and state is not None and node.shape == read.view.shape:
            return Found("layer_scale", (read,), {}, {"weight": Weight((state.name,))})
    return None


NODES: Final[Mapping[str, Recognise]] = {"aten.mul": layer_scale}
