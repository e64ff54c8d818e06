"""Pools in a trace: windows, adaptive windows, and means over the whole map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Read, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import arranged


def windows(node: Node, seen: Seen) -> Found | None:
    """`aten.max_pool2d` and `aten.avg_pool2d`."""
    read = seen.read(node["self"], "map")
    if read is None:
        return None
    average = node.target == "aten.avg_pool2d"
    kernel = node.ints("kernel_size")
    stride, padding = node.ints("stride") or kernel, node.ints("padding") or (0,)
    dilation = node.ints("dilation") or (1,)
    if average and (node["divisor_override"] is not None or (set(padding) != {0} and not node["count_include_pad"])):
        return None
    if average and kernel * 2 == (*read.space, *read.space) and set(padding) == {0}:
        return whole(node, read, "avg")
    if any(len(set(values)) != 1 for values in (kernel, stride, padding)) or set(dilation) != {1}:
        return None
    found: dict[str, object] = {"kernel": kernel[0]}
    if stride != kernel:
        found["stride"] = stride[0]
    if padding[0] != (kernel[0] - 1) // 2:
        found["padding"] = padding[0]
    if node["ceil_mode"]:
        found["ceil"] = True
    axes = arranged("nchw", node.shape)
    if average:
        return Found("pool", (read,), {"mode": "avg", **found}, axes=axes)
    return Found("maxpool", (read,), found, axes=axes)


def adaptive(node: Node, seen: Seen) -> Found | None:
    """`aten.adaptive_avg_pool2d` and its maximum: the whole map where one value is left."""
    read = seen.read(node["self"], "map")
    if read is None:
        return None
    mode = "avg" if "avg" in node.target else "max"
    size = node.shape[2:]
    if size == (1, 1):
        return whole(node, read, mode)
    if len(set(size)) != 1:
        return None
    return Found("pool", (read,), {"mode": mode, "size": size[0]}, axes=arranged("nchw", node.shape))


def reduced(node: Node, seen: Seen) -> Found | None:
    """`x.mean((2, 3))` and `x.amax((2, 3))`: over all pixels, in whatever order they lie."""
    read = seen.read(node["self"])
    if read is None or read.kind != "map":
        return None
    rank = len(read.view.axes)
    over = {i % rank for i in node.ints("dim")}
    gone = {digit.axis for i in over for digit in read.view.axes[i]}
    left = {digit.axis for i in range(rank) if i not in over for digit in read.view.axes[i]}
    if not gone <= {"h", "w"} or left & {"h", "w"} or not over:
        return None
    axes = tuple(() if i in over else axis for i, axis in enumerate(read.view.axes) if i not in over or node["keepdim"])
    mode = "avg" if node.target == "aten.mean" else "max"
    return Found("pool", (read,), {"mode": mode}, kind="vector", axes=axes)


def whole(node: Node, read: Read, mode: str) -> Found:
    return Found("pool", (read,), {"mode": mode}, kind="vector", axes=arranged("nchw", node.shape))


NODES: Final[Mapping[str, Recognise]] = {
    "aten.max_pool2d": windows,
    "aten.avg_pool2d": windows,
    "aten.adaptive_avg_pool2d": adaptive,
    "aten.adaptive_max_pool2d": adaptive,
    "aten.mean": reduced,
    "aten.amax": reduced,
}
