"""The least and the most that any sub-network costs."""

from __future__ import annotations

import numpy as np

from elastic.space.choices import Space
from elastic.space.conditioned import parts_of
from elastic.space.elimination import TooEntangled, cost_ranges, eliminate_uncached, ranges_in
from elastic.space.listing import listing

Range = tuple[int, int]


def ranges_of(space: Space) -> tuple[Range, ...]:
    """(least, most) of every cost over all sub-networks, exactly: by variable elimination, by enumeration where they
    are few, or by one elimination for each option of a global choice. Raises TooEntangled."""
    try:
        return cost_ranges(space)
    except TooEntangled:
        listed = listing(space)
    if listed is not None:
        ends = [(costs.min(axis=1), costs.max(axis=1)) for _, costs in listed.costs()]
        lows, highs = (np.array(some) for some in zip(*ends, strict=True))
        return tuple(zip(lows.min(axis=0).tolist(), highs.max(axis=0).tolist(), strict=True))
    parts = parts_of(space)
    if parts is None:
        raise TooEntangled
    found = [ranges_in(eliminate_uncached(part.space, with_costs=True)) for part in parts]
    return tuple(
        (min(low for low, _ in kind), max(high for _, high in kind))
        for kind in zip(*found, strict=True)
    )
