"""Uniform draws among the sub-networks whose costs lie in a window.

Where windows hold so many sub-networks that these cannot be listed, some tries come to nothing; those that do come to
something are uniform all the same. Their number is limited, so nothing hangs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, floor, isfinite

import numpy as np

from .catch import EFFORTS, PATIENCE, SOME_TRIES, Catch, by_chance, fished, true_costs
from .choices import Option, Space, assignments_at, largest, positions, smallest
from .line import ANY, Limits, Window
from .nearest import nearest, nearest_of
from .sweep import TooEntangled, sweep
from .tilt import tries_at


class EmptyWindow(ValueError):
    """Nothing was found in the window. `nearest` holds the costs found closest to it: (MACs, parameters) each."""

    def __init__(self, message: str, nearest: tuple[tuple[int, ...], ...]) -> None:
        super().__init__(message)
        self.nearest = nearest


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Sub-networks and their costs.

    costs    for every kind of cost of the space, those of all sub-networks
    exact    whether every try is a hit; where not, draws are uniform all the same, but fewer than asked for may
             have been found in `tries` tries
    uniform  false where the choices were too entangled for a sweep, so that sub-networks were drawn by the
             `independent` distribution and kept where they fit
    """

    assignments: tuple[dict[str, Option], ...]
    costs: tuple[tuple[int, ...], ...]
    exact: bool
    tries: int
    uniform: bool = True

    @property
    def macs(self) -> tuple[int, ...]:
        return self.costs[0]

    @property
    def params(self) -> tuple[int, ...]:
        return self.costs[1]


def draw_in_window(space: Space, number: int, rng: random.Random, *limits: Limits) -> Draws:
    """`number` draws, uniform over the canonical assignments with all costs within their limits (inclusive).

    Limits are given in the order of the costs: for MACs, for parameters; those left out are none. Raises EmptyWindow
    where nothing was found, naming the nearest costs.
    """
    whole = [
        (ceil(low) if isfinite(low) else low, floor(high) if isfinite(high) else high)
        for low, high in limits
    ]
    window: Window = (*whole, *[ANY] * (len(space.kinds) - len(limits)))
    catch = Catch()
    try:
        swept = sweep(space, with_costs=True)
    except TooEntangled:
        for _ in fished(catch, space, number, by_chance(space), rng, window):
            pass
        if not catch.found:
            raise EmptyWindow(*nearest_drawn(space, window, catch.tries)) from None
        return caught(catch, space, number, exact=False, uniform=False)
    is_exact = True
    for effort in EFFORTS:
        tries = tries_at(swept, window, effort)
        if tries is None:
            raise EmptyWindow(*nearest(swept, window, certain=True))
        is_exact = tries.is_exact
        for expected in fished(catch, space, number, tries.attempts, rng, window):
            if expected > PATIENCE and effort is not EFFORTS[-1]:
                break
        if catch.found >= number:
            break
    if not catch.found:
        raise EmptyWindow(*nearest(swept, window, certain=False))
    return caught(catch, space, number, is_exact)


def nearest_drawn(
    space: Space, window: Window, tries: int
) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """What to say where so many random sub-networks lay outside: the nearest of some more, and of the two ends."""
    drawn = by_chance(space)(random.Random(0), SOME_TRIES)
    ends = positions(space, [smallest(space), largest(space)])
    costs = true_costs(space, np.concatenate([drawn, ends]))
    said, found = nearest_of(space, window, costs)
    message = f"none of {tries:,} sub-networks drawn at random lies in the window"
    return f"{message}: {said}" if said else message, found


def caught(catch: Catch, space: Space, number: int, exact: bool, uniform: bool = True) -> Draws:
    """The first `number` of what was found."""
    rows, costs = np.concatenate(catch.rows)[:number], np.concatenate(catch.costs)[:number]
    return Draws(
        assignments=tuple(assignments_at(space, rows)),
        costs=tuple(tuple(column) for column in costs.T.tolist()),
        exact=exact,
        tries=catch.tries,
        uniform=uniform,
    )
