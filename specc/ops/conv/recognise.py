"""Convolutions in a trace, and fully connected layers that work on the channels of every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen, like, taken
from specc.traced.graph import Node
from specc.traced.views import arranged


def convolution(node: Node, seen: Seen) -> Found | None:
    """`aten.conv2d` on a map."""
    read = seen.read(node["input"], "map")
    weights = taken(seen, node)
    shape = seen.shape(node["weight"])
    if read is None or weights is None or len(shape) != 4:
        return None
    out, _, *kernel = shape
    groups = node["groups"]
    window = window_arguments(node, tuple(kernel))
    if window is None:
        return None
    bias = {"bias": True} if "bias" in weights else {}
    axes = arranged("nchw", node.shape)
    if groups == read.channels == out and groups != 1:
        return Found("depthwise", (read,), {**window, **bias}, weights, axes=axes)
    parameters = {"out": out, **window, **({"groups": groups} if groups != 1 else {}), **bias}
    return Found("conv", (read,), parameters, weights, axes=axes)


def window_arguments(node: Node, kernel: tuple[int, ...]) -> Mapping[str, object] | None:
    """Kernel, stride, padding and dilation as a call has them; None where they are not square."""
    stride, dilation = node.ints("stride") or (1,), node.ints("dilation") or (1,)
    padding: tuple[int, ...]
    if node["padding"] == "valid":
        padding = (0,)
    elif node["padding"] == "same":
        padding = tuple((size - 1) * d // 2 for size, d in zip(kernel, dilation * 2, strict=False))
    else:
        padding = node.ints("padding") or (0,)
    if any(len(set(values)) != 1 for values in (kernel, stride, padding, dilation)):
        return None
    found: dict[str, object] = {"kernel": kernel[0], "stride": stride[0], "dilation": dilation[0]}
    if 2 * padding[0] != dilation[0] * (kernel[0] - 1):
        found["padding"] = padding[0]
    return {name: value for name, value in found.items() if name in ("kernel", "padding") or value != 1}


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
