"""Rejection sampling with a bounded number of tries, and for several budgets at once.

Of several budgets one is hit by construction, the others by exponential tilting. Beside the window aimed at, a sub-
network that costs c of another kind is drawn in proportion to exp(lambda c), with lambda such that draws lie about
the near end of that window; and of those inside it, each is kept with probability exp(-lambda (c - end)). So those
kept are uniform again. Without lambda few would be inside where a window is far out.

Lagrange multipliers prove that budgets exclude each other. Where something costs at most e1 of one kind and at most
e2 of another, e1 + m * e2 is at least what the cheapest sub-network costs at the multiplier m. So a multiplier at
which the cheapest one costs more proves that no sub-network satisfies both budgets; likewise for lower ends, whose
costs count negatively. The excess is concave in the multiplier.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations, product
from math import ceil, inf, isfinite, log
from typing import TypeAlias

import numpy as np

from specc.space.aim import Aim, Effort, Start, aim, draws, shares, start
from specc.space.choices import Space, canonical_rows, draw, positions
from specc.space.elimination import Elimination, Ints, Step, eliminate, uniform_rows
from specc.space.line import ANY, Goal, Window, goal, line
from specc.space.upper_bounds import Floats

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


Attempts: TypeAlias = Callable[[random.Random, int], Ints]
"""Makes so many tries and gives the option positions of those that came to something, [n, choices]."""
PROBES = 256
"""Tries that tell where draws lie."""
ROUNDS = 10
"""The most corrections of where they lie."""
STEEP = 400.0
"""The most that exp(lambda c) changes by over the range of costs, as an exponent."""
NEAR = 0.25
"""Draws lie where they should when their mean is so many standard deviations away."""


@dataclass(frozen=True, slots=True, eq=False)
class Tries:
    """How tries at a window are made. `is_exact`: every try is a hit."""

    attempts: Attempts
    is_exact: bool


@lru_cache(maxsize=4)
def tries_at(elimination: Elimination, window: Window, effort: Effort) -> Tries | None:
    """Tries at a window, which are uniform over what is in it; None where it is known that nothing is."""
    goals: dict[int, Goal] = {}
    for kind in [kind for kind, interval in enumerate(window) if interval != ANY] or [0]:
        one = goal(line(elimination, kind), window[kind])
        if one is None:
            return None
        goals[kind] = one
    found = []
    for kind, first in goals.items():
        others = {other: one for other, one in goals.items() if other != kind}
        to = aim(elimination, [first, *others.values()], effort)
        of = start(to, first)
        if not of.bound > 0:
            return None
        if to.is_listed or not others:
            return Tries(plain(to, of), to.is_exact)
        found.append((of.bound, kind, to, of))
    # The window that fewer sub-networks are in is the one to aim at.
    _, kind, to, of = min(found, key=lambda one: one[:2])
    others = {other: one for other, one in goals.items() if other != kind}
    share, attempts = tilted(to, of, others, effort)
    if not share and impossible(elimination, window):
        return None
    return Tries(attempts, is_exact=False)


def plain(to: Aim, of: Start) -> Attempts:
    """Tries at one window."""

    def attempts(rng: random.Random, number: int) -> Ints:
        return draws(to, of, number, rng)

    return attempts


@dataclass(frozen=True, slots=True, eq=False)
class Tilt:
    """By how much more often what costs a unit more is drawn, [others], the windows' ends, and the ranges of costs."""

    slopes: Floats
    lows: Floats
    highs: Floats
    spans: Floats

    @property
    def ends(self) -> Floats:
        return np.where(self.slopes > 0, self.lows, self.highs)

    def chances(self, costs: Floats) -> Floats:
        """The probability to keep draws that cost so much, [n, others]: 0 outside of a window."""
        inside = ((costs >= self.lows) & (costs <= self.highs)).all(axis=1)
        away = np.where(self.slopes == 0, 0.0, self.slopes * (costs - self.ends)).sum(axis=1)
        return np.where(inside, np.exp(-np.maximum(away, 0.0)), 0.0)

    def corrected(self, costs: Floats) -> Tilt | None:
        """A tilt that brings the mean of such draws to the ends of windows that it is outside of, or that the slopes
        are for; None where it is there already. A step of Newton's method: the slopes' logarithm of all weights has
        the mean as its gradient and the covariance as its second derivative."""
        mean, spread = costs.mean(axis=0), np.maximum(costs.std(axis=0), 1e-9)
        to_low = (self.slopes > 0) | ((self.slopes == 0) & (mean < self.lows))
        to_high = (self.slopes < 0) | ((self.slopes == 0) & (mean > self.highs))
        away = np.where(to_low, self.lows - mean, np.where(to_high, self.highs - mean, 0.0))
        moved = (np.abs(away) > NEAR * spread).nonzero()[0]
        if not len(moved):
            return None
        covariance = np.cov(costs[:, moved].T).reshape(len(moved), len(moved))
        covariance += np.diag(1e-3 * spread[moved] ** 2)
        # A mean many deviations away is approached in steps, for which the second derivative still holds.
        step = np.linalg.solve(covariance, np.clip(away, -3 * spread, 3 * spread)[moved])
        slopes = self.slopes.copy()
        slopes[moved] += step
        # A slope that would turn round is not needed; one that is too steep leaves no way but one.
        slopes[(to_low & (slopes < 0)) | (to_high & (slopes > 0))] = 0.0
        return replace(self, slopes=np.clip(slopes, -STEEP / self.spans, STEEP / self.spans))


def tilted(
    to: Aim, of: Start, others: Mapping[int, Goal], effort: Effort
) -> tuple[float, Attempts]:
    """Tries at the window that `to` aims at, tilted so that many are in those of other kinds too; and the share of some
    of them that was."""
    space, elimination, goals = to.elimination.space, to.elimination, list(others.values())

    def costs_of(rows: Ints) -> Floats:
        """In whole units of the lines, [n, others]."""
        assert space.costs is not None
        every = space.costs(rows)
        units = [(every[kind] - one.line.base) // one.line.unit for kind, one in others.items()]
        return np.stack(units, axis=1).astype(np.float64)

    highs = np.array([one.highest for one in goals], np.float64)
    lows = highs - np.array([one.width for one in goals], np.float64)
    spans = np.array([1 + one.line.most[0][0] for one in goals], np.float64)
    tilt = Tilt(np.zeros(len(goals)), lows, highs, spans)
    best = (-1.0, to, of, tilt)
    for _ in range(ROUNDS):
        rows = draws(to, of, PROBES, random.Random(0))
        if len(rows) < 2:
            break
        costs = costs_of(rows)
        share = float(tilt.chances(costs).sum()) / PROBES
        best = max(best, (share, to, of, tilt), key=lambda one: one[0])
        corrected = tilt.corrected(costs)
        if corrected is None:
            break
        tilt = corrected
        to = aim(elimination, [to.goal, *goals], effort, weights_of(elimination, tilt, goals))
        of = start(to, to.goal)
    found, chosen, begin, kept = best

    def attempts(rng: random.Random, number: int) -> Ints:
        rows = draws(chosen, begin, number, rng)
        if not len(rows):
            return rows
        hits: Ints = rows[shares(rng, len(rows)) < kept.chances(costs_of(rows))]
        return hits

    return max(found, 0.0), attempts


def weights_of(elimination: Elimination, tilt: Tilt, goals: Sequence[Goal]) -> list[Floats]:
    """exp(slope * cost), pair by pair, up to a factor for each step."""
    found = []
    for place in range(len(elimination.steps)):
        rise = sum(
            slope * (one.line.added[place] - one.line.added[place].mean())
            for slope, one in zip(tilt.slopes, goals, strict=True)
        )
        found.append(np.exp(rise))
    return found


EFFORTS = (Effort(60_000, 1_500_000), Effort(300_000, 30_000_000))
"""What goes into preparing draws: some hundredths of a second, or a second for narrow windows and many draws."""
PATIENCE = 100_000
"""So many tries take longer than a greater effort."""
TRIES = 200
"""The most tries for each sub-network wanted, with every effort."""
LEAST_TRIES = 20_000
"""The most tries where few are wanted."""
SOME_TRIES = 4096
"""The most tries to find something to tell of."""
MANY_TRIES = 300_000
"""The most tries at the whole space."""
FEW = 20_000
"""More are drawn from the whole space together, which is faster and draws others by the same seed."""
AT_ONCE = 2048
"""The most tries that are made together."""


@dataclass(slots=True)
class Catch:
    """What was drawn so far within the window: option positions and costs, by tries; and how many tries that took."""

    rows: list[Ints] = field(default_factory=list)
    costs: list[Ints] = field(default_factory=list)
    found: int = 0
    tries: int = 0


def fished(
    catch: Catch,
    space: Space,
    number: int,
    attempts: Attempts,
    rng: random.Random,
    window: Window,
    most: int = 0,
) -> Iterator[float]:
    """Adds what tries find within the window, until there are `number` or there were too many tries; after each lot,
    how many more tries it should take."""
    tries, found = 0, 0
    expected = float(number - catch.found)
    while catch.found < number and tries < (most or max(TRIES * number, LEAST_TRIES)):
        lot = min(ceil(expected), AT_ONCE)
        hits = add(catch, space, attempts(rng, lot), window, lot)
        tries, found = tries + lot, found + hits
        expected = (number - catch.found) * (tries + 1) / (found + 1) + 4
        yield expected


def add(catch: Catch, space: Space, rows: Ints, window: Window, tries: int) -> int:
    """Adds those of some rows that are within the window, which took so many tries; says how many these are."""
    costs = true_costs(space, rows)
    inside = np.ones(len(rows), dtype=bool)
    for column, (low, high) in zip(costs.T, window, strict=True):
        inside &= (column >= low) & (column <= high)
    hits = int(inside.sum())
    if hits:
        catch.rows.append(rows[inside])
        catch.costs.append(costs[inside])
    catch.tries, catch.found = catch.tries + tries, catch.found + hits
    return hits


def everywhere(space: Space) -> Attempts:
    """Draws that are uniform over the whole space. Raises TooEntangled where it cannot be counted."""
    elimination = eliminate(space, with_costs=False)
    to = aim(elimination, [Goal(line(elimination, 0), 0, 0, 0)], EFFORTS[0])
    of = start(to, to.goal)

    def attempts(rng: random.Random, number: int) -> Ints:
        return draws(to, of, number, rng)

    return attempts


def by_chance(space: Space) -> Attempts:
    """Draws by the `independent` distribution."""

    def attempts(rng: random.Random, number: int) -> Ints:
        if number <= FEW:
            return positions(space, [draw(space, rng) for _ in range(number)])
        columns = [
            (shares(rng, number) * len(options)).astype(np.int64)
            for options in space.choices.values()
        ]
        return canonical_rows(space, np.stack(columns, axis=1))

    return attempts


def whole_space(space: Space, number: int, rng: random.Random) -> Ints:
    """Exactly `number` uniform draws, as rows of option positions. Raises TooEntangled where they cannot be counted."""
    if number <= FEW:
        return uniform_rows(space, number, rng)
    tries, found = everywhere(space), np.zeros((number, len(space.choices)), np.int64)
    done = 0
    while done < number:
        rows = tries(rng, min(number - done, FEW))
        found[done : done + len(rows)] = rows
        done += len(rows)
    return found


def found_in(elimination: Elimination, window: Window, number: int) -> list[tuple[int, ...]] | None:
    """The costs of some sub-networks in a window, always the same; None where it is known that there are none."""
    tries = tries_at(elimination, window, EFFORTS[0])
    if tries is None:
        return None
    catch, rng = Catch(), random.Random(0)
    for _ in fished(catch, elimination.space, number, tries.attempts, rng, window):
        if catch.found or catch.tries >= SOME_TRIES:
            break
    return [tuple(cost) for costs in catch.costs for cost in costs.tolist()]


def true_costs(space: Space, rows: Ints) -> Ints:
    """All costs of rows of positions, [n, kinds]."""
    assert space.costs is not None
    return np.stack(space.costs(rows), axis=1)
