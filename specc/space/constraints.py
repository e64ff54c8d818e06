"""Resource constraints along a cost, and uniform draws of sub-networks that keep one.

PSS-Net's constraints lie a step apart, from what the smallest sub-network costs to what the largest does; a sub-network
belongs to the nearest one. So constraint t holds the costs from theta_t - step / 2 up to the next one's first. All of
them are windows of one width, so that one preparation serves them all, except where that is too coarse.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from specc.space.aim import Aim, Start, aim, draws, start
from specc.space.choices import Option, Space, assignment_at, positions
from specc.space.choices import largest as largest_of
from specc.space.choices import smallest as smallest_of
from specc.space.conditioned import Listing, drawn_from, listing, ranges_of
from specc.space.elimination import Ints, TooEntangled, cost_ranges, eliminate
from specc.space.line import Goal, goal, line
from specc.space.single import one_draw
from specc.space.tilting import EFFORTS, Attempts, by_chance, everywhere, true_costs

TRIES = 20_000
"""The most draws made for one that fits, where not every draw does."""
PROBES = 400
"""Draws that tell how often one fits, and how many sub-networks there are where that cannot be counted."""
MANY_PROBES = 20_000
"""The same for all constraints at once."""
RARE = 0.8
"""Where fewer draws fit, a constraint is prepared on its own."""
MOST = 10_000
"""The most constraints along one cost."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """The sub-networks whose cost lies within `low` and `high`, both included; `target` is the paper's theta.

    Costs are counted in whole MACs, parameters or nanoseconds, as `kind` says: macs, params or latency.
    """

    kind: str
    target: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """How sub-networks that keep one constraint are drawn.

    size        how many there are, exactly where that is less than was asked about; a lower bound elsewhere
    tries       how many draws it takes to find one, on average; 1 where none is in vain
    attempts    draws, as rows of option positions, some of which may not keep it
    one         a single draw, which keeps it or comes to nothing; None where nobody can tell
    """

    constraint: Constraint
    size: int
    tries: float
    attempts: Attempts
    one: Callable[[random.Random], Sequence[int] | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """The constraints of one kind that some sub-network keeps, by rising cost.

    uniform   false where choices are too entangled to be counted: sub-networks are then drawn by the `independent`
              distribution and kept where they fit
    in_doubt  constraints that no sub-network was found for, though there may be some; of all others that are not kept
              it is known that there are none
    """

    kind: str
    space: Space
    kept: tuple[Kept, ...]
    uniform: bool
    in_doubt: tuple[Constraint, ...] = ()

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return tuple(kept.constraint for kept in self.kept)

    def draw(self, number: int, rng: random.Random) -> dict[str, Option]:
        """A sub-network that keeps constraint `number`, each equally likely. Raises LookupError after TRIES tries."""
        kept = self.kept[number]
        for _ in range(TRIES):
            if kept.one is not None:
                found = kept.one(rng)
                if found is not None:
                    return assignment_at(self.space, found)
                continue
            for row in fitting(self.space, kept.constraint, kept.attempts(rng, 1)).tolist():
                return assignment_at(self.space, row)
        raise LookupError(f"none of {TRIES:,} sub-networks drawn keeps {kept.constraint}")

    def cost(self, assignment: Mapping[str, Option]) -> int:
        """What the constraints limit, of a canonical assignment."""
        return int(true_costs(self.space, positions(self.space, [assignment]))[0, 0])

    def nearest(self, cost: int) -> int | None:
        """The number of the constraint that a cost belongs to; None where no sub-network costs about so much."""
        found = (n for n, c in enumerate(self.constraints) if c.low <= cost <= c.high)
        return next(found, None)


def ladder(kind: str, space: Space, step: int, enough: int) -> Ladder:
    """The constraints `step` apart along the first cost of `space`. Sizes are told apart below `enough`.

    Raises ValueError where there would be more than MOST.
    """
    try:
        elimination = eliminate(space, with_costs=True)
    except TooEntangled:
        return without_elimination(kind, space, step, enough)
    low, high = cost_ranges(space)[0]
    constraints = steps_between(kind, low, high, step)
    along = line(elimination, 0)
    goals = [goal(along, (constraint.low, constraint.high)) for constraint in constraints]
    known = [one for one in goals if one is not None]
    widest = max(one.width for one in known)
    lowest, highest = min(one.highest for one in known), max(one.highest for one in known)
    shared = aim(elimination, [Goal(along, widest, lowest, highest)], EFFORTS[0])
    listed = None if shared.is_listed else listing(space)
    if listed is not None:
        return Ladder(kind, space, tuple(in_list(listed, constraints)), uniform=True)
    found: list[Kept] = []
    in_doubt: list[Kept] = []
    for constraint, one in zip(constraints, goals, strict=True):
        taken = None if one is None else aimed_at(shared, one, constraint, enough)
        if taken is not None:
            (found if taken.size else in_doubt).append(taken)
    doubted = tuple(one.constraint for one in in_doubt)
    return Ladder(kind, space, tuple(found), uniform=True, in_doubt=doubted)


def without_elimination(kind: str, space: Space, step: int, enough: int) -> Ladder:
    """The constraints where choices are too interdependent for variable elimination: from the list of all sub-networks
    if it is short; else those that some of many samples satisfy, and the smallest's and the largest's."""
    listed = listing(space)
    if listed is not None:
        ends = [(int(costs[0].min()), int(costs[0].max())) for _, costs in listed.costs()]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        constraints = steps_between(kind, low, high, step)
        return Ladder(kind, space, tuple(in_list(listed, constraints)), uniform=True)
    rows = positions(space, [smallest_of(space), largest_of(space)])
    try:
        low, high = ranges_of(space)[0]
    except TooEntangled:
        low, high = sorted(true_costs(space, rows)[:, 0].tolist())
    try:
        attempts, uniform = everywhere(space), True
    except TooEntangled:
        attempts, uniform = by_chance(space), False
    constraints = steps_between(kind, low, high, step)
    found = tuple(probed(space, constraints, enough, attempts, rows))
    kept = {one.constraint for one in found}
    return Ladder(kind, space, found, uniform, tuple(c for c in constraints if c not in kept))


def in_list(of: Listing, constraints: Sequence[Constraint]) -> Iterator[Kept]:
    """How constraints are kept by the sub-networks of a list, without those that none keeps."""
    first = constraints[0].low
    step = constraints[0].high - first + 1
    number = np.empty(of.size, np.int32)
    for place, costs in of.costs():
        number[place : place + costs.shape[1]] = (costs[0] - first) // step
    order = np.argsort(number, kind="stable")
    begins = np.searchsorted(number, np.arange(len(constraints) + 1), sorter=order)
    for constraint, begin, end in zip(constraints, begins[:-1], begins[1:], strict=True):
        if begin < end:
            attempts = drawn_from(of, order[begin:end])
            yield Kept(constraint, int(end - begin), 1.0, attempts, partial(one_of, attempts))


def one_of(attempts: Attempts, rng: random.Random) -> Sequence[int]:
    found: list[int] = attempts(rng, 1)[0].tolist()
    return found


def steps_between(kind: str, least: int, most: int, step: int) -> list[Constraint]:
    """The constraints from the least cost to the most. Half a step above one, the next one is the nearest."""
    first = least - step // 2
    number = (most - first) // step + 1
    if number > MOST:
        raise ValueError(
            f"a {kind} step of {step:,} makes {number:,} constraints; at most {MOST:,} can be trained"
        )
    return [
        Constraint(kind, least + t * step, first + t * step, first + (t + 1) * step - 1)
        for t in range(number)
    ]


def aimed_at(shared: Aim, one: Goal, constraint: Constraint, enough: int) -> Kept | None:
    """How a constraint is kept by taking aim, with what serves all of them or, where that is too coarse (at the ends of
    the range, where there are few sub-networks), on its own. None where no sub-network keeps it; its size is 0 where
    none was found."""
    found = kept(shared, one, constraint, enough)
    for effort in EFFORTS:
        if found is None or (found.tries <= 1 / RARE and found.size >= enough):
            return found
        to = aim(shared.elimination, [one], effort)
        found = kept(to, one, constraint, enough)
        if to.is_listed:
            return found
    if found is not None and not found.size:
        fit, different = probe(shared.elimination.space, constraint, found.attempts, TRIES)
        return replace(found, size=different, tries=TRIES / max(fit, 0.5))
    return found


def kept(to: Aim, goal_of: Goal, constraint: Constraint, enough: int) -> Kept | None:
    """How a constraint is kept by taking aim; None where no sub-network keeps it."""
    of = start(to, goal_of)
    if not of.bound > 0:
        return None
    attempts = partial(tried, to, of)
    one = partial(one_draw, to, of)
    if to.is_listed:
        return Kept(constraint, int(of.bound), 1.0, attempts, one)
    number = max(PROBES, 2 * enough)
    fit, different = probe(to.elimination.space, constraint, attempts, number)
    return Kept(constraint, different, number / max(fit, 0.5), attempts, one)


def tried(to: Aim, of: Start, rng: random.Random, number: int) -> Ints:
    return draws(to, of, number, rng)


def probed(
    space: Space, constraints: Sequence[Constraint], enough: int, attempts: Attempts, ends: Ints
) -> Iterator[Kept]:
    """How constraints are kept by trying: those that one of many random sub-networks keeps, or one of the two ends."""
    number = max(MANY_PROBES, 10 * enough)
    rows = attempts(random.Random(0), number)
    costs = true_costs(space, rows)[:, 0]
    for constraint in constraints:
        some = rows[(costs >= constraint.low) & (costs <= constraint.high)]
        if len(some):
            different = len(set(map(tuple, some.tolist())))
            yield Kept(constraint, different, number / len(some), attempts)
        elif len(alone := fitting(space, constraint, ends)):
            yield Kept(constraint, len(alone), 1.0, partial(among, alone))


def among(rows: Ints, rng: random.Random, number: int) -> Ints:
    """Draws of one of a few sub-networks."""
    found: Ints = rows[[rng.randrange(len(rows)) for _ in range(number)]]
    return found


def probe(space: Space, constraint: Constraint, attempts: Attempts, number: int) -> tuple[int, int]:
    """Of some attempts: how many keep the constraint, and how many different ones there are among these."""
    rows = fitting(space, constraint, attempts(random.Random(0), number))
    return len(rows), len(set(map(tuple, rows.tolist())))


def fitting(space: Space, constraint: Constraint, rows: Ints) -> Ints:
    """The rows of option positions that keep a constraint."""
    if not len(rows):
        return rows
    costs = true_costs(space, rows)[:, 0]
    found: Ints = rows[(costs >= constraint.low) & (costs <= constraint.high)]
    return found
