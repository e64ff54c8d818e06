"""Rejection sampling for several budgets at once: one is hit by construction, the others by exponential tilting.

Beside the window aimed at, a sub-network that costs c of another kind is drawn in proportion to exp(lambda c), with
lambda such that draws lie about the near end of that window; and of those inside it, each is kept with probability
exp(-lambda (c - end)). So those kept are uniform again. Without lambda few would be inside where a window is far out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from elastic.space.aim import Aim, Effort, Start, aim, draws, shares, start
from elastic.space.elimination import Elimination, Ints
from elastic.space.line import ANY, Goal, Window, goal, line
from elastic.space.multipliers import impossible
from elastic.space.prefixes import Floats

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
