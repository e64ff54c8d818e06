"""Resource constraints along a cost, and uniform draws of sub-networks that keep one.

PSS-Net's constraints lie a step apart, from what the smallest sub-network costs to what the largest does; a sub-network
belongs to the nearest one. So constraint t holds the costs from theta_t - step / 2 up to the next one's first. One pass
over the choices serves all of them: histograms of exact costs, or of rounded ones and then some draws are in vain.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .choices import Option, Space, assignment_at, positions
from .choices import largest as largest_of
from .choices import smallest as smallest_of
from .histogram import (
    ANY,
    Histograms,
    Window,
    ends,
    exact,
    rounded,
)
from .sweep import Sweep, TooEntangled, counts, reach, sweep
from .window import Attempts, by_chance, drawer, inside, true_costs

TRIES = 20_000
"""The most draws made for one that fits, where costs are rounded or sub-networks are drawn at random."""
PROBES = 400
"""Draws that tell how many sub-networks there are where that cannot be counted; a tenth tells how often one fits."""
COUNTED = 2**600
"""Beyond so many sub-networks, histograms hold shares and not numbers."""
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
    tries       how many draws it takes to find one, on average; 1 where costs are exact
    attempts    draws, as rows of option positions, some of which may not keep it
    """

    constraint: Constraint
    size: int
    tries: float
    attempts: Attempts


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
            (row,) = kept.attempts(rng, 1)
            if holds(self.space, kept.constraint, row):
                return assignment_at(self.space, row)
        raise LookupError(f"none of {TRIES:,} sub-networks drawn keeps {kept.constraint}")

    def cost(self, assignment: Mapping[str, Option]) -> int:
        """What the constraints limit, of a canonical assignment."""
        return costs_of(self.space, positions(self.space, [assignment]).tolist())[0]

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
    except TooEntangled:
        ends_of = sorted(costs_of(space, rows_of(space, [smallest_of(space), largest_of(space)])))
        found = probed(space, steps_between(kind, ends_of[0], ends_of[1], step), enough)
        return Ladder(kind, space, tuple(found), uniform=False)
    low, high = (
        swept.base[0] + int(reach(swept.steps, 0, lowest)[0][0]) for lowest in (True, False)
    )
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
    everything: Window = ((-1.0, np.inf), ANY)
    try:
        shared = exact(swept, everything)
    except TooEntangled:
        shared = rounded(swept, [0])
    total = sum(counts(swept.steps)[-1]) if swept.steps else 1
    for constraint in constraints:
        histograms = shared
        if not shared.is_exact and surely(shared, constraint) < enough:
            # At the ends of the range there are few sub-networks: their costs need no rounding.
            try:
                histograms = exact(swept, window_of(constraint))
            except TooEntangled:
                histograms = shared
        keys, ways = ends(histograms, window_of(constraint))
        if not len(keys):
            continue
        attempts = drawer(histograms, keys, np.cumsum(ways))
        if histograms.is_exact and total < COUNTED:
            yield Kept(constraint, int(ways.sum()), 1.0, attempts)
            continue
        sure = 0 if total >= COUNTED else int(surely(histograms, constraint))
        probes = PROBES // 10 if sure >= enough else PROBES
        fitting, different = probe(swept.space, constraint, attempts, probes)
        if fitting:
            yield Kept(constraint, max(sure, different), probes / fitting, attempts)


def surely(histograms: Histograms, constraint: Constraint) -> float:
    """How many sub-networks keep a constraint whatever their costs lost in rounding."""
    keys, ways = ends(histograms, window_of(constraint))
    cost = histograms.scale.costs(keys, 0)
    return float(
        ways[(cost >= constraint.low) & (cost + histograms.scale.slack[0] <= constraint.high)].sum()
    )


def probed(space: Space, constraints: Sequence[Constraint], enough: int) -> Iterator[Kept]:
    """How constraints are kept by trying: those that one of many random sub-networks keeps."""
    for constraint in constraints:
        fitting, different = probe(space, constraint, by_chance(space), max(PROBES, 10 * enough))
        if fitting:
            tries = max(PROBES, 10 * enough) / fitting
            yield Kept(constraint, different, tries, by_chance(space))


def probe(space: Space, constraint: Constraint, attempts: Attempts, number: int) -> tuple[int, int]:
    """Of some attempts: how many keep the constraint, and how many different ones there are among these."""
    rng = random.Random(0)
    rows = attempts(rng, number)
    window = window_of(constraint)
    fitting = [
        tuple(row)
        for row, cost in zip(rows, true_costs(space, rows), strict=True)
        if inside(cost, window)
    ]
    return len(fitting), len(set(fitting))


def window_of(constraint: Constraint) -> Window:
    return (float(constraint.low), float(constraint.high)), ANY


def holds(space: Space, constraint: Constraint, row: Sequence[int]) -> bool:
    return constraint.low <= costs_of(space, [row])[0] <= constraint.high


def costs_of(space: Space, rows: Sequence[Sequence[int]]) -> list[int]:
    """The first cost of rows of option positions."""
    return [first for first, _ in true_costs(space, rows)]


def rows_of(space: Space, assignments: Sequence[Mapping[str, Option]]) -> list[list[int]]:
    found: list[list[int]] = positions(space, assignments).tolist()
    return found
