"""Pixels and channels that change places, in a trace: as an operator of its own, or as a permutation of digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Kind, Reads, Recognise, Seen
from specc.traced.graph import Node
from specc.traced.views import Digit, View, arranged


def shuffled(node: Node, seen: Seen) -> Found | None:
    """`aten.pixel_shuffle` and `aten.pixel_unshuffle`."""
    read = seen.read(node["self"], "map")
    if read is None:
        return None
    axes = arranged("nchw", node.shape)
    if node.target == "aten.pixel_shuffle":
        return Found("pixel_shuffle", (read,), {"factor": node["upscale_factor"]}, axes=axes)
    return Found("space_to_depth", (read,), {"factor": node["downscale_factor"]}, axes=axes)


def blocks(view: View, kind: Kind | None, seen: Seen) -> Found | None:
    """A map whose channels count pixels of a block beside its channels, as reshapes and a permutation make it."""
    if view.picks or len(view.axes) != 4 or kind not in (None, "map"):
        return None
    digits = view.axes[1]
    fine = [digit for digit in digits if digit.axis in ("h", "w")]
    if len(digits) != 3 or len(fine) != 2 or [digit.axis for digit in fine] != ["h", "w"]:
        return None
    factor = fine[0].size
    channels = next((digit for digit in digits if digit.axis == "c"), None)
    if channels is None or any(digit.low != 1 or digit.size != factor for digit in fine):
        return None
    batch, _, height, width = view.axes
    shape = tuple(next((digit.size for digit in axis), 1) for axis in (batch, (channels,), height, width))
    rows, columns = (Digit(axis, factor, size) for axis, size in zip("hw", shape[2:], strict=True))
    if height not in ((rows,), ()) or width not in ((columns,), ()):
        return None
    before = (shape[0], shape[1], shape[2] * factor, shape[3] * factor)
    read = seen.read(View(view.base, arranged("nchw", before)), "map")
    if read is None:
        return None
    order = {} if digits[0] is channels else {"order": "channels"}
    if digits[1] is channels:
        return None
    axes = arranged("nchw", (shape[0], shape[1] * factor**2, *shape[2:]))
    return Found("space_to_depth", (read,), {"factor": factor, **order}, axes=axes)


NODES: Final[Mapping[str, Recognise]] = {"aten.pixel_shuffle": shuffled, "aten.pixel_unshuffle": shuffled}
VIEWS: Final[tuple[Reads, ...]] = (blocks,)
