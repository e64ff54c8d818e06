"""Pools in a trace: windows, adaptive windows, and means over the whole map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Read, Recognise, Seen, both, pair
from specc.traced.graph import Node
from specc.traced.views import arranged


def windows(node: Node, seen: Seen) -> Found | None:
    """`aten.max_pool2d` and `aten.avg_pool2d`."""
    read = seen.read(node["self"], "map")
    if read is None:
        return None
    average = node.target == "aten.avg_pool2d"
    kernel = both(node.ints("kernel_size"))
    stride, padding = both(node.ints("stride") or kernel), both(node.ints("padding") or (0,))
    dilation = both(node.ints("dilation") or (1,))
    if average and node["divisor_override"] is not None:
        return None
    if average and kernel == read.space and padding == (0, 0):
        return whole(node, read, "avg")
    found: dict[str, object] = {"kernel": pair(*kernel)}
    if stride != kernel:
        found["stride"] = pair(*stride)
    if padding != tuple((size - 1) // 2 for size in kernel):
        found["padding"] = pair(*padding)
    if node["ceil_mode"]:
        found["ceil"] = True
    if dilation != (1, 1):
        found["dilation"] = pair(*dilation)
    if average and padding != (0, 0) and not node["count_include_pad"]:
        found["count_padding"] = False
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
    if size in ((1, read.space[1]), (read.space[0], 1)):
        over = "height" if size[0] == 1 else "width"
        return Found("pool", (read,), {"mode": mode, "over": over}, axes=arranged("nchw", node.shape))
    return Found("pool", (read,), {"mode": mode, "size": pair(*size)}, axes=arranged("nchw", node.shape))


def reduced(node: Node, seen: Seen) -> Found | None:
    """`x.mean((2, 3))` and `x.amax((2, 3))`: over all pixels, in whatever order they lie; `x.mean(3, keepdim=True)`:
    over one axis."""
    read = seen.read(node["self"])
    if read is None or read.kind != "map":
        return None
    rank = len(read.view.axes)
    over = {i % rank for i in node.ints("dim")}
    gone = {digit.axis for i in over for digit in read.view.axes[i]}
    left = {digit.axis for i in range(rank) if i not in over for digit in read.view.axes[i]}
    mode = "avg" if node.target == "aten.mean" else "max"
    if not gone <= {"h", "w"} or not over:
        return None
    axes = tuple(() if i in over else axis for i, axis in enumerate(read.view.axes) if i not in over or node["keepdim"])
    if left & {"h", "w"}:
        if gone not in ({"h"}, {"w"}) or gone & left:
            return None
        return Found("pool", (read,), {"mode": mode, "over": "height" if gone == {"h"} else "width"}, axes=axes)
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
