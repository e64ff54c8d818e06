"""Fully connected layers in a trace; also as convolutions of the one pixel that pooling left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, like, taken
from specc.traced.graph import Node


def linear(node: Node, seen: Seen) -> Found | None:
    """`aten.linear` on tokens or a vector."""
    read = seen.read(node["input"])
    if read is None or read.kind == "map" or not read.channels_last:
        return None
    return layer(node, seen)


def one_pixel(node: Node, seen: Seen) -> Found | None:
    """`aten.conv2d` with a kernel of 1 on what lies as a map of one pixel, and is a vector."""
    read = seen.read(node["input"])
    if read is None or read.kind != "vector" or seen.shape(node["weight"])[2:] != (1, 1):
        return None
    return layer(node, seen) if node["groups"] == 1 else None


def layer(node: Node, seen: Seen) -> Found | None:
    read = seen.read(node["input"])
    weights = taken(seen, node)
    if read is None or weights is None:
        return None
    out = seen.shape(node["weight"])[0]
    bias = {} if "bias" in weights else {"bias": False}
    return Found("linear", (read,), {"out": out, **bias}, weights, axes=like(read, out))


NODES: Final[Mapping[str, Recognise]] = {"aten.linear": linear, "aten.conv2d": one_pixel}
