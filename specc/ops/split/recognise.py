"""Channels in parts: a map, or tokens, of which some of the channels are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from specc.traced.found import Found, Kind, Seen
from specc.traced.views import Digit, Pick, View, channels_at


@dataclass(frozen=True, slots=True)
class Place:
    """A split that one part comes from: what it cuts begins at this channel of all, how large its parts are, and which
    of them it is."""

    begin: int
    sizes: tuple[int, ...]
    part: int


def split(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """One of the parts of all channels. Where these are neither equal nor equal after the first, the first is split off
    and the rest is split again."""
    if not view.picks or wanted not in (None, "map", "tokens", "vector"):
        return None
    *before, pick = view.picks
    at = channels_at(view.axes)
    if pick.axis != "c" or at is None:
        return None
    size, total, start = (pick.low * count for count in (pick.length, pick.size, pick.start))
    if view.axes[at] != (Digit("c", 1, size),):
        return None
    one_of_several = pick.low > 1 and pick.length == 1
    cuts = range(pick.size + 1) if one_of_several else seen.cuts(view)
    place = place_of([pick.low * cut for cut in cuts], start, size)
    if place is None:
        return None
    whole = total - place.begin
    rest = (Pick("c", pick.low, pick.size, place.begin // pick.low, whole // pick.low),) if place.begin else ()
    axes = tuple((Digit("c", 1, whole),) if i == at else axis for i, axis in enumerate(view.axes))
    read = seen.read(View(view.base, axes, (*before, *rest)))
    if read is None or read.channels != whole:
        return None
    sizes = place.sizes
    parameters = {"parts": len(sizes)} | ({"first": sizes[0]} if sizes[0] != sizes[-1] else {})
    return Found("split", (read,), parameters, parts=sizes, part=place.part)


def place_of(cuts: Sequence[int], start: int, size: int) -> Place | None:
    """Where a part of so many channels is, of a tensor that is cut at these channels; None where it is cut itself."""
    begin = 0
    while begin <= start:
        sizes = [end - first for first, end in pairwise(cuts) if first >= begin]
        last = len(set(sizes[1:])) <= 1
        if not last:
            sizes = [sizes[0], sum(sizes[1:])]
        ends = [begin, *(begin + end for end in accumulate(sizes))]
        if (start, start + size) in [*pairwise(ends)]:
            return Place(begin, tuple(sizes), ends.index(start)) if len(sizes) > 1 else None
        if last:
            return None
        begin = ends[1]
    return None


VIEWS = (split,)
