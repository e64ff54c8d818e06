"""One try at a window, as training makes them: what `draws` does for many at once, without the cost of small arrays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import nextafter

import numpy as np

from specc.space.aim import Aim, Back, Start
from specc.space.upper_bounds import Floats


def one_draw(to: Aim, of: Start, rng: random.Random) -> Sequence[int] | None:
    """The option positions of a sub-network in the window, [choices]; None where the try came to nothing."""
    if not of.bound > 0:
        return None
    at = [0] * len(to.elimination.steps)
    row, left, expected, factor = 0, of.top, 0.0, 1.0
    for one in reversed(to.backs):
        if not expected:
            cumulated, total = of.cumulated[1:], of.bound
        else:
            cumulated = np.cumsum(weights_of(one, row, left))
            total = float(cumulated[-1])
            if not rng.random() * expected < total * factor:
                return None
        # A share that rounds up to the whole must not lead past the last weight that is not 0.
        share = min(rng.random() * total, nextafter(total, 0.0))
        chosen = int(cumulated.searchsorted(share, "right"))
        expected = float(cumulated[chosen]) - (float(cumulated[chosen - 1]) if chosen else 0.0)
        if one.weight is not None:
            expected /= float(one.weight[row, chosen])
        pair = one.pairs[row, chosen]
        at[one.step.choice] = int(one.step.option[pair])
        left -= int(one.added[pair])
        row, factor = int(one.step.source[pair]), one.factor
    first, last = to.prefixes.between_at(row, left, of.width)
    low, high = float(to.prefixes.cumulated[first]), float(to.prefixes.cumulated[last])
    if first == last or (to.backs and not rng.random() * expected < high - low):
        return None
    drawn = low + rng.random() * (high - low)
    found = int(to.prefixes.cumulated.searchsorted(drawn, "right")) - 1
    to.prefixes.fill_one(at, min(max(found, first), last - 1), to.elimination.steps)
    return at


def weights_of(one: Back, row: int, left: int) -> Floats:
    """[fan]: U of the sources of all pairs that lead to `row`, at what they leave of `left`."""
    at = one.shift[row] + left / one.unit
    at = np.minimum(np.maximum(at, 0.0), one.last)
    cell = at.astype(np.int64)
    at -= cell
    at -= 0.25 / one.unit
    ends = one.breakpoints[cell + one.place[row]]
    at *= ends.imag
    at += ends.real
    found: Floats = at if one.weight is None else at * one.weight[row]
    return found
