"""Uniform sampling among the sub-networks whose costs lie in a window.

Where windows hold so many sub-networks that these cannot be listed, some tries come to nothing; those that do come to
something are uniform all the same. The number of tries is bounded. Where choices are too interdependent for variable
elimination, all sub-networks are enumerated if they are few; else one global choice after another is conditioned on;
else sub-networks are drawn from the whole space. All of that is uniform too; what is not says so.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, floor, isfinite

import numpy as np

from specc.space.catch import (
    EFFORTS,
    MANY_TRIES,
    PATIENCE,
    SOME_TRIES,
    Catch,
    add,
    by_chance,
    everywhere,
    fished,
    true_costs,
)
from specc.space.choices import Option, Space, assignments_at, largest, positions, smallest
from specc.space.conditioned import parts_of, tries_in_parts
from specc.space.elimination import Elimination, TooEntangled, eliminate
from specc.space.line import ANY, Interval, Window
from specc.space.listing import Listing, drawn_from, listing, members
from specc.space.nearest import nearest, nearest_of
from specc.space.tilting import tries_at

BY_CHANCE = "the choices are too interdependent for exact counting: each was drawn independently, which is not uniform"
ENDS_ALONE = "no try hit the window: only its smallest or largest sub-network was found"


class NothingFound(ValueError):
    """Nothing was found in the window, which may hold some all the same.

    `nearest` holds the costs found closest to it: (MACs, parameters) each.
    """

    def __init__(self, message: str, nearest: tuple[tuple[int, ...], ...]) -> None:
        super().__init__(message)
        self.nearest = nearest


class EmptyWindow(NothingFound):
    """Nothing is in the window, which is proven."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Sub-networks and their costs.

    costs    for every kind of cost of the space, those of all sub-networks
    tries    how many it took; fewer than asked for may have been found in so many
    why      why draws are not exactly uniform; nothing where they are
    """

    assignments: tuple[dict[str, Option], ...]
    costs: tuple[tuple[int, ...], ...]
    tries: int
    why: str = ""

    @property
    def exact(self) -> bool:
        """Whether every sub-network within the limits is equally likely."""
        return not self.why

    @property
    def macs(self) -> tuple[int, ...]:
        return self.costs[0]

    @property
    def params(self) -> tuple[int, ...]:
        return self.costs[1]


def draw_in_window(space: Space, number: int, rng: random.Random, *intervals: Interval) -> Draws:
    """`number` draws, uniform over the canonical assignments with all costs within their limits (inclusive).

    Limits are given in the order of the costs: for MACs, for parameters; those left out are none. Raises EmptyWindow
    where there are none, NothingFound where none was found; both name the nearest costs.
    """
    whole = [
        (ceil(low) if isfinite(low) else low, floor(high) if isfinite(high) else high)
        for low, high in intervals
    ]
    window: Window = (*whole, *[ANY] * (len(space.kinds) - len(intervals)))
    try:
        elimination = eliminate(space, with_costs=True)
    except TooEntangled:
        return drawn_without_elimination(space, number, rng, window)
    return drawn_by_elimination(elimination, number, rng, window)


def drawn_by_elimination(
    elimination: Elimination, number: int, rng: random.Random, window: Window
) -> Draws:
    """Draws by taking aim; from a list where that is not certain to hit, and there are not too many to list."""
    space, catch = elimination.space, Catch()
    for effort in EFFORTS:
        tries = tries_at(elimination, window, effort)
        if tries is None:
            raise EmptyWindow(*nearest(elimination, window, certain=True))
        listed = None if tries.is_exact else listing(space)
        if listed is not None:
            return drawn_from_list(listed, number, rng, window)
        for expected in fished(catch, space, number, tries.attempts, rng, window):
            if expected > PATIENCE and effort is not EFFORTS[-1]:
                break
        if catch.found >= number:
            break
    if catch.found:
        return caught(catch, space, number)
    if not add_ends(catch, space, number, rng, window):
        raise NothingFound(*nearest(elimination, window, certain=False))
    return caught(catch, space, number, ENDS_ALONE)


def drawn_from_list(of: Listing, number: int, rng: random.Random, window: Window) -> Draws:
    """Draws from all sub-networks in the window."""
    inside = members(of, window)
    if not len(inside):
        said, found = nearest_of(of.space, window, of.all_costs(), "nearest")
        raise EmptyWindow(f"no sub-network is within the budget: {said}", found)
    catch = Catch()
    for _ in fished(catch, of.space, number, drawn_from(of, inside), rng, window):
        pass
    return caught(catch, of.space, number)


def drawn_without_elimination(
    space: Space, number: int, rng: random.Random, window: Window
) -> Draws:
    """Draws where choices are too interdependent for variable elimination."""
    listed = listing(space)
    if listed is not None:
        return drawn_from_list(listed, number, rng, window)
    try:
        attempts = everywhere(space)
    except TooEntangled:
        catch = Catch()
        for _ in fished(catch, space, number, by_chance(space), rng, window):
            pass
        return caught_at_least_ends(catch, space, number, rng, window, BY_CHANCE)
    catch = Catch()
    for expected in fished(catch, space, number, attempts, rng, window, MANY_TRIES):
        if catch.tries >= SOME_TRIES and expected > MANY_TRIES:
            break
    if catch.found < number:
        parts = parts_of(space)
        found = None if parts is None else tries_in_parts(parts, window, number, rng)
        if parts is not None and found is None:
            raise EmptyWindow(*nearest_drawn(space, window, "no sub-network is within the budget"))
        if found is not None:
            rows, tries = found
            add(catch, space, rows, window, tries)
    return caught_at_least_ends(catch, space, number, rng, window)


def caught_at_least_ends(
    catch: Catch, space: Space, number: int, rng: random.Random, window: Window, why: str = ""
) -> Draws:
    """What was found; where that is nothing, the smallest and the largest sub-network if they are in the window."""
    if catch.found:
        return caught(catch, space, number, why)
    if not add_ends(catch, space, number, rng, window):
        message = f"none of {catch.tries:,} random sub-networks is within the budget"
        raise NothingFound(*nearest_drawn(space, window, message))
    return caught(catch, space, number, ENDS_ALONE)


def add_ends(catch: Catch, space: Space, number: int, rng: random.Random, window: Window) -> bool:
    """Adds draws of the smallest and the largest sub-network, of those that are in the window; says whether one is."""
    ends = Catch()
    if not add(ends, space, positions(space, [smallest(space), largest(space)]), window, 0):
        return False
    rows = np.concatenate(ends.rows)
    add(catch, space, rows[[rng.randrange(len(rows)) for _ in range(number)]], window, 0)
    return True


def nearest_drawn(
    space: Space, window: Window, message: str
) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """Error message without elimination: the nearest of some random sub-networks and of the two ends."""
    drawn = by_chance(space)(random.Random(0), SOME_TRIES)
    ends = positions(space, [smallest(space), largest(space)])
    costs = true_costs(space, np.concatenate([drawn, ends]))
    said, found = nearest_of(space, window, costs)
    return f"{message}: {said}" if said else message, found


def caught(catch: Catch, space: Space, number: int, why: str = "") -> Draws:
    """The first `number` of what was found."""
    rows, costs = np.concatenate(catch.rows)[:number], np.concatenate(catch.costs)[:number]
    return Draws(
        assignments=tuple(assignments_at(space, rows)),
        costs=tuple(tuple(column) for column in costs.T.tolist()),
        tries=catch.tries,
        why=why,
    )
