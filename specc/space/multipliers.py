"""Infeasible combinations of budgets, proven by Lagrange multipliers.

Where something costs at most e1 of one kind and at most e2 of another, e1 + m * e2 is at least what the cheapest
sub-network costs at the multiplier m. So a multiplier at which the cheapest one costs more proves that no sub-network
satisfies both budgets; likewise for lower ends, whose costs count negatively. The excess is concave in the multiplier.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import inf, isfinite, log

import numpy as np

from specc.space.elimination import Elimination, Step
from specc.space.line import ANY, Window, line
from specc.space.prefixes import Floats

SEARCHED = 40
"""How often the interval of multipliers is narrowed."""
WIDE = 5.0 * log(10)
"""Multipliers between a hundred thousandth of, and as many times, what makes the ranges of both kinds equally dear."""
ROUNDING = 1e-9
"""What sums of costs may be wrong by, as a share of the range."""
GOLDEN = (5**0.5 - 1) / 2


def impossible(elimination: Elimination, window: Window) -> bool:
    """Whether two of the windows are known to exclude one another."""
    limited = [kind for kind, interval in enumerate(window) if interval != ANY]
    for first, second in combinations(limited, 2):
        # A sign of 1 stands for what may not cost too much, -1 for what may not cost too little.
        for signs in product((1, -1), repeat=2):
            kinds = (first, second)
            ends = [window[kind][sign > 0] for kind, sign in zip(kinds, signs, strict=True)]
            if all(map(isfinite, ends)) and excess(elimination, kinds, signs, ends) > ROUNDING:
                return True
    return False


def excess(
    elimination: Elimination, kinds: tuple[int, int], signs: tuple[int, ...], ends: Sequence[float]
) -> float:
    """The largest excess of the cheapest sub-network's cost over both ends, over all multipliers; as a share of the
    range of costs."""
    added, lefts = [], []
    for kind, sign, end in zip(kinds, signs, ends, strict=True):
        along = line(elimination, kind)
        span = max(1, int(along.most[0][0])) * along.unit
        added.append([sign * along.unit * one / span for one in along.added])
        lefts.append(sign * (end - along.base) / span)

    def at(exponent: float) -> float:
        # The two multipliers add up to 1.
        multiplier = 1 / (1 + np.exp(-exponent))
        summed = [(1 - multiplier) * a + multiplier * b for a, b in zip(*added, strict=True)]
        ends_of = (1 - multiplier) * lefts[0] + multiplier * lefts[1]
        return least_of(elimination.steps, summed) - float(ends_of)

    low, high = -WIDE, WIDE
    inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    values = [at(exponent) for exponent in inner]
    for _ in range(SEARCHED):
        if max(values) > ROUNDING:
            break
        if values[0] > values[1]:
            high = inner[1]
            inner = [high - GOLDEN * (high - low), inner[0]]
            values = [at(inner[0]), values[0]]
        else:
            low = inner[0]
            inner = [inner[1], low + GOLDEN * (high - low)]
            values = [values[1], at(inner[1])]
    return max(values)


def least_of(steps: Sequence[Step], added: Sequence[Floats]) -> float:
    """The least that all steps together can cost; `added` says what the pairs of each do, [pairs]."""
    best = np.zeros(steps[-1].rows if steps else 1)
    for place in reversed(range(len(steps))):
        step = steps[place]
        firsts = np.flatnonzero(np.diff(step.source, prepend=-1))
        through = best[step.target] + added[place]
        best = np.full(steps[place - 1].rows if place else 1, inf)
        best[step.source[firsts]] = np.minimum.reduceat(through, firsts)
    return float(best[0])
