"""Uniform sampling among the sub-networks whose costs lie in a window, of latencies by a table, too.

Where windows hold so many sub-networks that these cannot be listed, some tries come to nothing; those that do come to
something are uniform all the same. The number of tries is bounded. Where choices are too interdependent for variable
elimination, all sub-networks are enumerated if they are few; else one global choice after another is conditioned on;
else sub-networks are drawn from the whole space. All of that is uniform too; what is not says so.

Of an infeasible window the error names the nearest reachable costs.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite
from typing import TYPE_CHECKING

import numpy as np

from elastic.space.choices import (
    Option,
    Space,
    assignments_at,
    largest,
    positions,
    smallest,
)
from elastic.space.conditioned import (
    Listing,
    drawn_from,
    listing,
    members,
    parts_of,
    tries_in_parts,
)
from elastic.space.elimination import Elimination, Ints, TooEntangled, eliminate
from elastic.space.latency_table import NANOSECONDS, LatencyTable, latency_space
from elastic.space.line import ANY, Interval, Window
from elastic.space.tilting import (
    EFFORTS,
    MANY_TRIES,
    PATIENCE,
    SOME_TRIES,
    Catch,
    add,
    by_chance,
    everywhere,
    fished,
    found_in,
    tries_at,
    true_costs,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


NARROWINGS = 40
"""The most times that what lies between a window and the nearest cost found is searched."""
FEW_NARROWINGS = 6
"""The same where several windows must be met, which takes longer."""
MANY = 256
"""So many draws leave about so small a share of it."""

Costs = tuple[int, ...]


def nearest(
    elimination: Elimination, window: Window, certain: bool
) -> tuple[str, tuple[Costs, ...]]:
    """A message, and the costs that it names, of sub-networks next to the window. `certain`: that it is empty."""
    limited = [kind for kind, interval in enumerate(window) if interval != ANY]
    unmet = [
        kind
        for kind in limited
        if len(limited) == 1 or not found_in(elimination, only(window, kind), number=1)
    ]
    words, found = [], []
    for kind in unmet or limited:
        around = only(window, kind) if unmet else window
        said, ends = told(elimination, around, kind)
        words += said
        found += ends
    reason = "; ".join(words)
    if not unmet:
        several = len(limited) > 2
        alone = f"each constraint alone can be satisfied, but not {'all' if several else 'both'} together"
        kept = f"with the other{'s' if several else ''} satisfied, "
        reason = f"{alone}; {kept}{reason}" if reason else alone
    lies = "is" if certain else "was found"
    return f"no sub-network {lies} within the budget" + (f": {reason}" if reason else ""), tuple(
        found
    )


def told(elimination: Elimination, window: Window, kind: int) -> tuple[list[str], list[Costs]]:
    """What there is below and above the limits of a kind, in words."""
    sides = [beside(elimination, window, kind, below) for below in (True, False)]
    ends = [end for end, _ in sides if end is not None]
    if not ends:
        return [], []
    sure = all(certain for _, certain in sides)
    words = named("nearest" if sure else "nearest found", elimination.space.kinds[kind], kind, ends)
    alone = sum(interval != ANY for interval in window) == 1
    if sure and alone and len(ends) == 1:
        words += ", the most there are" if sides[1][0] is None else ", the least there are"
    return [words], ends


def named(word: str, name: str, kind: int, ends: Sequence[Costs]) -> str:
    """`the nearest MACs are 1,000 and 2,000`."""
    costs = " and ".join(shown(name, end[kind]) for end in ends)
    return f"the {word} {'latencies' if name == 'nanoseconds' else name} are {costs}"


def nearest_of(
    space: Space, window: Window, costs: Ints, word: str = "nearest found"
) -> tuple[str, tuple[Costs, ...]]:
    """What `nearest` says, of some sub-networks none of which lies in the window: their costs are [n, kinds]. Where
    choices are too entangled for an elimination, these are all that is known."""
    inside = np.stack([(c >= lo) & (c <= hi) for c, (lo, hi) in zip(costs.T, window, strict=True)])
    limited = [kind for kind, interval in enumerate(window) if interval != ANY]
    unmet = [kind for kind in limited if not inside[kind].any()]
    words, found = [], []
    for kind in unmet or limited:
        others = costs if unmet else costs[np.delete(inside, kind, axis=0).all(axis=0)]
        below, above = (
            others[others[:, kind] < window[kind][0]],
            others[others[:, kind] > window[kind][1]],
        )
        ends = [
            side[at(side[:, kind])]
            for side, at in ((below, np.argmax), (above, np.argmin))
            if len(side)
        ]
        if ends:
            found += [tuple(end.tolist()) for end in ends]
            words.append(named(word, space.kinds[kind], kind, found[-len(ends) :]))
    kept = "" if unmet or len(limited) == 1 else "with the other constraints satisfied, "
    return kept + "; ".join(words) if words else "", tuple(found)


def only(window: Window, kind: int) -> Window:
    """A window without all limits but one."""
    return tuple(interval if at == kind else ANY for at, interval in enumerate(window))


def beside(
    elimination: Elimination, window: Window, kind: int, below: bool
) -> tuple[Costs | None, bool]:
    """The costs of a sub-network that is as near to a window as there is, on one side of its limits of a kind, and
    within all others, and whether it is known that none is nearer. None where none was found.

    Of so many uniform draws the nearest leaves only a small share nearer ones, which is searched next.
    """
    low, high = window[kind]
    if not isfinite(low if below else high):
        return None, True
    interval: Interval = (-inf, ceil(low) - 1) if below else (floor(high) + 1, inf)
    best: Costs | None = None
    several = sum(interval != ANY for interval in window) > 1
    for _ in range(FEW_NARROWINGS if several else NARROWINGS):
        if interval[0] > interval[1]:
            return best, True
        costs = found_in(elimination, (*window[:kind], interval, *window[kind + 1 :]), MANY)
        if not costs:
            return best, costs is None
        best = max(costs, key=lambda one: one[kind] if below else -one[kind])
        interval = (best[kind] + 1, interval[1]) if below else (interval[0], best[kind] - 1)
    return best, False


def shown(kind: str, cost: int) -> str:
    """A cost for people: 69,129,728, or 1.25 ms."""
    if kind == "nanoseconds":
        return f"{cost / 1e6:,.6f}".rstrip("0").rstrip(".") + " ms"
    return f"{cost:,}"


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


@dataclass(frozen=True, slots=True, eq=False)
class TimedDraws:
    """Draws and their predicted latencies in seconds."""

    draws: Draws
    latencies: tuple[float, ...]


def draw_timed(
    space: Space,
    table: LatencyTable,
    number: int,
    rng: random.Random,
    latency: Interval,
    macs: Interval = ANY,
    params: Interval = ANY,
) -> TimedDraws:
    """`number` draws, uniform over the sub-networks within all limits, both ends included; latencies are in seconds.

    Raises EmptyWindow where there are none, NothingFound where none was found.
    """
    timed = timed_space(space, table)
    drawn = draw_in_window(timed, number, rng, macs, params, in_nanoseconds(latency))
    return TimedDraws(drawn, tuple(time / NANOSECONDS for time in drawn.costs[-1]))


def timed_space(space: Space, table: LatencyTable) -> Space:
    """The space with latencies in nanoseconds as one more cost, the last."""
    timed, counted = latency_space(space, table), space.costs
    times = timed.costs
    assert times is not None
    assert counted is not None

    def costs(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        return (*counted(rows), times(rows)[0])

    together = (*space.together, *timed.together)
    kinds = (*space.kinds, timed.kinds[0])
    return Space(space.choices, space.active, together, costs, kinds)


def in_nanoseconds(interval: Interval) -> Interval:
    """Limits in seconds as whole nanoseconds within them.

    Seconds come rounded: what differs from a whole nanosecond by their last bits alone is meant to be it.
    """
    low, high = interval
    return (
        float(ceil(round(low * NANOSECONDS, 3))) if isfinite(low) else low,
        float(floor(round(high * NANOSECONDS, 3))) if isfinite(high) else high,
    )
