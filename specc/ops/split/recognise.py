"""Channels in parts: a map, or tokens, of which some of the channels are read."""

from __future__ import annotations

from specc.traced.found import Found, Kind, Seen
from specc.traced.views import Digit, View, channels_at


def split(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """One of the equal parts of all channels."""
    if not view.picks or wanted not in (None, "map", "tokens", "vector"):
        return None
    *before, pick = view.picks
    at = channels_at(view.axes)
    if pick.axis != "c" or at is None:
        return None
    size = pick.length * pick.low
    total = pick.size * pick.low
    start = pick.start * pick.low
    if view.axes[at] != (Digit("c", 1, size),) or total % size or start % size:
        return None
    whole = tuple((Digit("c", 1, total),) if i == at else axis for i, axis in enumerate(view.axes))
    read = seen.read(View(view.base, whole, tuple(before)))
    if read is None or read.channels != total:
        return None
    parts = (size,) * (total // size)
    return Found("split", (read,), {"parts": len(parts)}, parts=parts, part=start // size)


VIEWS = (split,)
