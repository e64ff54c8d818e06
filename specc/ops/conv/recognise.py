"""Convolutions in a trace, and fully connected layers that work on the channels of every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, both, like, pair, taken
from specc.traced.graph import Node
from specc.traced.views import arranged


def convolution(node: Node, seen: Seen) -> Found | None:
    """`aten.conv2d` on a map."""
    padded, border = zeros_around(node["input"], seen)
    read = seen.read(node["input"] if padded is None else padded["self"], "map")
    weights = taken(seen, node)
    shape = seen.shape(node["weight"])
    if read is None or weights is None or len(shape) != 4:
        return None
    out, _, *kernel = shape
    groups = node["groups"]
    window = window_arguments(node, tuple(kernel), border)
    nodes = () if padded is None else (padded, node)
    bias = {"bias": True} if "bias" in weights else {}
    axes = arranged("nchw", node.shape)
    if groups == read.channels == out and groups != 1:
        return Found("depthwise", (read,), {**window, **bias}, weights, axes=axes, nodes=nodes)
    parameters = {"out": out, **window, **({"groups": groups} if groups != 1 else {}), **bias}
    return Found("conv", (read,), parameters, weights, axes=axes, nodes=nodes)


def zeros_around(argument: object, seen: Seen) -> tuple[Node | None, tuple[int, int]]:
    """What puts as many zeros on both sides of a map before it is convolved, and how many above and at the left."""
    node = seen.node(argument, "aten.pad", "aten.constant_pad_nd")
    if node is None or node["mode"] not in (None, "constant") or node["value"] not in (None, 0):
        return None, (0, 0)
    sides = node.ints("pad")
    if len(sides) != 4 or sides[0] != sides[1] or sides[2] != sides[3] or min(sides) < 0:
        return None, (0, 0)
    return node, (sides[2], sides[0])


def window_arguments(node: Node, kernel: tuple[int, ...], border: tuple[int, int]) -> Mapping[str, object]:
    """Kernel, stride, padding and dilation as a call has them."""
    stride, dilation = both(node.ints("stride") or (1,)), both(node.ints("dilation") or (1,))
    centred = tuple(d * (size - 1) for size, d in zip(kernel, dilation, strict=True))
    padding: tuple[int, ...]
    if node["padding"] == "valid":
        padding = (0, 0)
    elif node["padding"] == "same":
        padding = tuple(whole // 2 for whole in centred)
    else:
        padding = both(node.ints("padding") or (0,))
    padding = tuple(size + more for size, more in zip(padding, border, strict=True))
    found: dict[str, object] = {"kernel": pair(kernel[0], kernel[-1])}
    if stride != (1, 1):
        found["stride"] = pair(*stride)
    if dilation != (1, 1):
        found["dilation"] = pair(*dilation)
    if tuple(2 * size for size in padding) != centred:
        found["padding"] = pair(padding[0], padding[-1])
    return found


def pixels(node: Node, seen: Seen) -> Found | None:
    """`aten.linear` on a map whose channels come last: a convolution of one pixel."""
    read = seen.read(node["input"])
    weights = taken(seen, node)
    if read is None or weights is None or read.kind != "map" or not read.channels_last:
        return None
    out = node.shape[-1]
    bias = {"bias": True} if "bias" in weights else {}
    return Found("conv", (read,), {"out": out, "kernel": 1, **bias}, weights, axes=like(read, out))


NODES: Final[Mapping[str, Recognise]] = {
    "aten.conv2d": convolution,
    "aten.linear": pixels,
}
