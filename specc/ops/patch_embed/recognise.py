"""Patches in a trace: a convolution as wide as its stride, whose pixels are read as tokens."""

from __future__ import annotations

from specc.traced.found import Found, Kind, Seen, taken
from specc.traced.graph import Ref
from specc.traced.views import View


def patches(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """A view of a convolution's map with one axis for its pixels, in their order, where tokens are wanted."""
    node = seen.node(Ref(view.base), "aten.conv2d")
    if wanted != "tokens" or node is None or view.picks:
        return None
    read, weights = seen.read(node["input"], "map"), taken(seen, node)
    made = seen.read(view)
    if read is None or weights is None or made is None or "bias" not in weights or node["groups"] != 1:
        return None
    kernel = seen.shape(node["weight"])[2:]
    if len({*kernel, *node.ints("stride")}) != 1 or set(node.ints("padding") or (0,)) != {0}:
        return None
    if set(node.ints("dilation") or (1,)) != {1} or any(size % kernel[0] for size in read.space):
        return None
    pixels = [[digit.axis for digit in axis] for axis in view.axes]
    if not any(axes == [axis for axis, size in zip("hw", made.space, strict=True) if size != 1] for axes in pixels):
        return None
    return Found(
        "patch_embed", (read,), {"size": kernel[0], "dim": node.shape[1]}, weights, kind="tokens", nodes=(node,)
    )


VIEWS = (patches,)
