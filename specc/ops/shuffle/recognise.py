"""Shuffled channels: a map whose channels are read with their digits the other way round."""

from __future__ import annotations

from specc.traced.found import Found, Kind, Seen
from specc.traced.views import Digit, View


def shuffled(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """`x.view(n, g, c // g, h, w).transpose(1, 2).flatten(1, 2)`."""
    at = [i for i, axis in enumerate(view.axes) if len(axis) == 2 and {digit.axis for digit in axis} == {"c"}]
    if len(at) != 1:
        return None
    fast, slow = view.axes[at[0]]
    channels = fast.size * slow.size
    if fast.low != 1 or slow.low != fast.size:
        return None
    axes = tuple((Digit("c", 1, channels),) if i == at[0] else axis for i, axis in enumerate(view.axes))
    read = seen.read(View(view.base, axes, view.picks), wanted)
    return (
        None
        if read is None or read.channels != channels
        else Found("shuffle", (read,), {"groups": slow.size}, axes=axes)
    )


VIEWS = (shuffled,)
