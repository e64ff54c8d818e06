"""Learned offsets of channels in a trace, alone and with factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.channels import per_channel, single
from specc.traced.found import Found, Recognise, Seen, by_token
from specc.traced.graph import Node, Weight


def affine(node: Node, seen: Seen) -> Found | None:
    """`torch.addcmul(beta, alpha, x)`, with alpha and x in either order."""
    if node["value"] not in (None, 1):
        return None
    for one, other in (("tensor1", "tensor2"), ("tensor2", "tensor1")):
        read = by_token(node[one], seen)
        weight = None if read is None else per_channel(node[other], read, seen)
        bias = None if read is None else per_channel(node["self"], read, seen)
        if read is not None and weight is not None and bias is not None and node.shape == read.view.shape:
            weights = {"weight": Weight((weight.name,)), "bias": Weight((bias.name,))}
            return Found("affine", (read,), {}, weights)
    return None


def offset(node: Node, seen: Seen) -> Found | None:
    """`x + beta`, in either order: a number for each channel, or one for all."""
    if node["alpha"] not in (None, 1):
        return None
    for one, other in (("self", "other"), ("other", "self")):
        read = seen.read(node[one])
        if read is None or node.shape != read.view.shape:
            continue
        state = per_channel(node[other], read, seen)
        if state is not None:
            return Found("offset", (read,), {}, {"weight": Weight((state.name,))})
        state = single(node[other], seen)
        if state is not None:
            return Found("offset", (read,), {"channels": False}, {"weight": Weight((state.name,))})
    return None


NODES: Final[Mapping[str, Recognise]] = {"aten.addcmul": affine, "aten.add": offset}
