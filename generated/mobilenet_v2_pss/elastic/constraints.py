"""Resource constraints along a cost, and uniform draws of sub-networks that keep one.

PSS-Net's constraints lie a step apart, from what the smallest sub-network costs to what the largest does; a sub-network
belongs to the nearest one. So constraint t holds the costs from theta_t - step / 2 up to the next one's first. All of
them are windows of one width, so that one preparation serves them all, except where that is too coarse.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .aim import Aim, Start, aim, draws, start
from .catch import EFFORTS, by_chance, true_costs
from .choices import Option, Space, assignment_at, positions
from .choices import largest as largest_of
from .choices import smallest as smallest_of
from .line import Goal, goal, line
from .single import one_draw
from .sweep import Ints, Sweep, TooEntangled, cost_ranges, sweep
from .tilt import Attempts

TRIES = 20_000
"""The most draws made for one that fits, where not every draw does."""
PROBES = 400
"""Draws that tell how often one fits, and how many sub-networks there are where that cannot be counted."""
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

    `uniform` is false where choices are too entangled for a sweep: sub-networks are then drawn by the `independent`
    distribution and kept where they fit.
    """

    kind: str
    space: Space
    kept: tuple[Kept, ...]
    uniform: bool

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
        swept = sweep(space, with_costs=True)
        low, high = cost_ranges(space)[0]
    except TooEntangled:
        ends = positions(space, [smallest_of(space), largest_of(space)])
        low, high = sorted(true_costs(space, ends)[:, 0].tolist())
        found = probed(space, steps_between(kind, low, high, step), enough)
        return Ladder(kind, space, tuple(found), uniform=False)
    constraints = steps_between(kind, low, high, step)
    return Ladder(kind, space, tuple(counted(swept, constraints, enough)), uniform=True)


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


def counted(swept: Sweep, constraints: Sequence[Constraint], enough: int) -> Iterator[Kept]:
    """How the constraints are kept, without those that no sub-network keeps."""
    along = line(swept, 0)
    goals = [goal(along, (constraint.low, constraint.high)) for constraint in constraints]
    tops = [one.highest for one in goals if one is not None]
    widest = max(one.width for one in goals if one is not None)
    shared = aim(swept, [Goal(along, widest, min(tops), max(tops))], EFFORTS[0])
    for constraint, one in zip(constraints, goals, strict=True):
        if one is None:
            continue
        found = None
        # What serves all of them is too coarse at the ends of the range, where there are few sub-networks.
        for effort in (None, *EFFORTS):
            to = shared if effort is None else aim(swept, [one], effort)
            found = kept(to, one, constraint, enough)
            if found is None or to.is_listed:
                break
            if found.tries <= 1 / RARE and found.size >= enough:
                break
        if found is not None and found.size:
            yield found


def kept(to: Aim, one: Goal, constraint: Constraint, enough: int) -> Kept | None:
    """How a constraint is kept by taking aim; None where no sub-network keeps it."""
    of = start(to, one)
    if not of.bound > 0:
        return None
    attempts = partial(tried, to, of)
    one_of = partial(one_draw, to, of)
    if to.is_listed:
        return Kept(constraint, int(of.bound), 1.0, attempts, one_of)
    number = max(PROBES, 2 * enough)
    fit, different = probe(to.swept.space, constraint, attempts, number)
    return Kept(constraint, different, number / max(fit, 0.5), attempts, one_of)


def tried(to: Aim, of: Start, rng: random.Random, number: int) -> Ints:
    return draws(to, of, number, rng)


def probed(space: Space, constraints: Sequence[Constraint], enough: int) -> Iterator[Kept]:
    """How constraints are kept by trying: those that one of many random sub-networks keeps."""
    number = max(PROBES, 10 * enough)
    for constraint in constraints:
        fit, different = probe(space, constraint, by_chance(space), number)
        if fit:
            yield Kept(constraint, different, number / fit, by_chance(space))


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
