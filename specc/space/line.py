"""One kind of cost along an elimination, in whole units from 0 on, and what can still become of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, gcd, inf, isfinite

import numpy as np
from numpy.typing import NDArray

from specc.space.elimination import Elimination, Ints, reach

Interval = tuple[float, float]
"""The least and the most that a cost may be, both included."""
Window = tuple[Interval, ...]
"""Limits for every kind of cost of a space: MACs and parameters, as a rule."""
ANY: Interval = (-inf, inf)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """cost = base + unit * (what the pairs of all steps add).

    added         for every step [pairs], from 0 on
    least, most   what the rest can still add, for every row before each step and after the last [rows]; rows that
                  lead nowhere have least > most
    """

    base: int
    unit: int
    added: tuple[Ints, ...]
    least: tuple[Ints, ...]
    most: tuple[Ints, ...]

    def within(self, interval: Interval) -> tuple[int, int]:
        """The first and the last whole unit within limits that the range of costs allows; none where first > last."""
        first, last = int(self.least[0][0]), int(self.most[0][0])
        low, high = interval
        if isfinite(low):
            first = max(first, -((self.base - ceil(low)) // self.unit))
        if isfinite(high):
            last = min(last, (floor(high) - self.base) // self.unit)
        return first, last


@lru_cache(maxsize=8)
def line(elimination: Elimination, kind: int) -> Line:
    """The costs of one kind, which are kept."""
    return line_along(elimination, kind)


def line_along(elimination: Elimination, kind: int) -> Line:
    """The same, of an elimination that is made once."""
    lows = [int(step.added[:, kind].min()) for step in elimination.steps]
    added = [step.added[:, kind] - low for step, low in zip(elimination.steps, lows, strict=True)]
    unit = max(1, gcd(*(int(np.gcd.reduce(one)) for one in added)))
    whole = tuple(one // unit for one in added)
    return Line(
        base=elimination.base[kind] + sum(lows),
        unit=unit,
        added=whole,
        least=tuple(reach(elimination.steps, whole, lowest=True)),
        most=tuple(reach(elimination.steps, whole, lowest=False)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Windows of one width along a line, in whole units: each ends at a top between `lowest` and `highest`."""

    line: Line
    width: int
    lowest: int
    highest: int

    def keeps(self, place: int, rows: Ints, costs: Ints) -> NDArray[np.bool_]:
        """Which of those that stand in `rows` before step `place` at `costs` can still end in some window."""
        least, most = self.line.least[place][rows], self.line.most[place][rows]
        soon_enough = (least <= most) & (costs + least <= self.highest)
        kept: NDArray[np.bool_] = soon_enough & (costs + most >= self.lowest - self.width)
        return kept


def goal(along: Line, interval: Interval) -> Goal | None:
    """The goal of keeping one window; None where no whole unit is within."""
    first, last = along.within(interval)
    return Goal(along, last - first, last, last) if first <= last else None
