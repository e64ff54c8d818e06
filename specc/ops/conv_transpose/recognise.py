"""Transposed convolutions in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node
from specc.traced.views import arranged


def transposed(node: Node, seen: Seen) -> Found | None:
    """`aten.conv_transpose2d` on a map."""
    read = seen.read(node["input"], "map")
    weights = taken(seen, node)
    shape = seen.shape(node["weight"])
    if read is None or weights is None or len(shape) != 4:
        return None
    found: dict[str, object] = {"out": node.shape[1], "kernel": window(shape[2:])}
    for name, default in (("stride", 1), ("padding", None), ("output_padding", 0), ("dilation", 1)):
        value = window(node.ints(name) or (0 if default is None else default,))
        if value != default:
            found[name] = value
    if node["groups"] != 1:
        found["groups"] = node["groups"]
    if "bias" in weights:
        found["bias"] = True
    return Found("conv_transpose", (read,), found, weights, axes=arranged("nchw", node.shape))


def window(values: tuple[int, ...]) -> int | tuple[int, int]:
    """One number, or a height and a width."""
    return values[0] if len(set(values)) == 1 else (values[0], values[1])


NODES: Final[Mapping[str, Recognise]] = {"aten.conv_transpose2d": transposed}
