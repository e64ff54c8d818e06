"""Draws of sub-networks whose first cost lies in a window, each equally often: ready to be made many times.

A draw goes backward from the last step. It samples the next pair in proportion to `upper_bounds`, and is rejected with
the probability that corrects for the excess of the bounds. The ways through the first steps are listed, so those within
the window are known exactly. A rejection costs a try, never the uniformity.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elastic.space.elimination import Elimination, Ints, Step
from elastic.space.line import Goal
from elastic.space.upper_bounds import (
    Floats,
    Prefixes,
    UpperBound,
    Weights,
    leading,
    listed,
    upper_bounds,
)

NEVER = -1e300
"""Where a pair that there is not would stand between breakpoints."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How many ways are listed at most, and how many (pair, breakpoint) cells are summed."""

    listed: int
    cells: int


@dataclass(frozen=True, slots=True, eq=False)
class Back:
    """What it takes to go back through one step.

    pairs     [rows, fan], those that lead to a row
    shift     [rows, fan], such that left / unit + shift counts breakpoints, a quarter of a unit more, so that nothing
              falls short of its breakpoint; breakpoint 1 is the first, 0 stands for everything below it
    place     [rows, fan], where the source's breakpoints begin among all
    breakpoints  U at all breakpoints, and, as imaginary part, how much it rises to the next one
    last      the last breakpoint; what lies beyond does not occur
    weight    [rows, fan], factors of the pairs
    factor    what U was scaled by since the step before
    """

    step: Step
    added: Ints
    pairs: Ints
    shift: Floats
    place: Ints
    breakpoints: np.ndarray[tuple[int], np.dtype[np.complex128]]
    last: int
    weight: Floats | None
    factor: float
    unit: int


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """Everything that draws need; `backs` from the first step that is not listed to the last."""

    elimination: Elimination
    goal: Goal
    prefixes: Prefixes
    backs: tuple[Back, ...]

    @property
    def is_listed(self) -> bool:
        return not self.backs

    @property
    def is_exact(self) -> bool:
        """Whether nothing is ever given up."""
        return all(one.unit == 1 for one in self.backs)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where the draws of one window begin: its top and width, and the cumulated weights of the last step's pairs.

    Of an aim whose ways are all listed: the cumulated weights before the first and after the last within the window.
    """

    top: int
    width: int
    cumulated: Floats

    @property
    def bound(self) -> float:
        """At most so many sub-networks (or their weights) are in the window, up to a factor that all starts share."""
        return float(self.cumulated[-1] - self.cumulated[0])


def start(to: Aim, goal: Goal) -> Start:
    """The window of a goal, which is one of those aimed at, or lies within one and ends where that does."""
    row, left = np.zeros(1, np.int64), np.full(1, goal.highest, np.int64)
    if to.is_listed:
        ends = to.prefixes.between(row, left, goal.width)
        return Start(goal.highest, goal.width, to.prefixes.cumulated[np.concatenate(ends)])
    weights = weights_back(to.backs[-1], row, left)[0]
    cumulated = np.concatenate([np.zeros(1), np.cumsum(weights)])
    return Start(goal.highest, goal.width, cumulated)


def aim(
    elimination: Elimination, goals: Sequence[Goal], effort: Effort, weights: Weights | None = None
) -> Aim:
    """Takes aim at the first goal; the others only say which ways need not be listed.

    With weights a sub-network is drawn in proportion to the product of those of its pairs.
    """
    prefixes = listed(elimination, goals, weights, effort.listed)
    if prefixes.taken == len(elimination.steps) or not len(prefixes.rows):
        return Aim(elimination, goals[0], prefixes, ())
    tables = upper_bounds(elimination, goals[0], prefixes, weights, effort.cells)
    backs = tuple(
        back(
            table,
            elimination.steps[place],
            goals[0].line.added[place],
            None if weights is None else weights[place],
        )
        for place, table in enumerate(tables, prefixes.taken)
    )
    return Aim(elimination, goals[0], prefixes, backs)


def back(table: UpperBound, step: Step, added: Ints, weight: Floats | None) -> Back:
    """A step to go back through, given U before it."""
    lead = leading(step)
    rows, breakpoints = table.values.shape
    values = np.zeros((rows, breakpoints + 2), np.complex128)
    values[:, 1:-1].real = table.values
    values[:, 1:-2].imag = np.diff(table.values, axis=1)
    source = step.source[lead.pairs]
    shift = (0.25 - added[lead.pairs] - table.lows[source]) / table.unit + 1
    return Back(
        step=step,
        added=added,
        pairs=lead.pairs,
        shift=np.where(lead.is_one, shift, NEVER),
        place=source * (breakpoints + 2),
        breakpoints=values.reshape(-1),
        last=breakpoints + 1,
        weight=None if weight is None else weight[lead.pairs],
        factor=table.factor,
        unit=table.unit,
    )


def weights_back(one: Back, rows: Ints, left: Ints) -> Floats:
    """[n, fan]: U of the sources of all pairs that lead to `rows`, at what they leave of `left`."""
    at = one.shift[rows]
    at += (left / one.unit)[:, None]
    np.clip(at, 0, one.last, out=at)
    cell = at.astype(np.int64)
    at -= cell
    at -= 0.25 / one.unit
    cell += one.place[rows]
    ends = one.breakpoints.take(cell)
    at *= ends.imag
    at += ends.real
    if one.weight is not None:
        at *= one.weight[rows]
    return at


def draws(to: Aim, of: Start, number: int, rng: random.Random) -> Ints:
    """So many tries for a window: the option positions of those that came to something, [at most `number`, choices]."""
    steps = to.elimination.steps
    rows, left = np.zeros(number, np.int64), np.full(number, of.top, np.int64)
    if not of.bound > 0:
        return np.zeros((0, len(to.elimination.space.choices)), np.int64)
    at = np.zeros((number, len(to.elimination.space.choices)), np.int64)
    expected: Floats | None = None
    factor = 1.0
    for one in reversed(to.backs):
        if expected is None:
            chances = shares(rng, number) * of.bound
            chosen = np.searchsorted(of.cumulated, chances, side="right") - 1
            expected = np.diff(of.cumulated)[chosen]
        else:
            weights = weights_back(one, rows, left)
            cumulated = np.cumsum(weights, axis=1)
            sums = cumulated[:, -1]
            kept = (shares(rng, len(sums)) * expected < sums * factor).nonzero()[0]
            at, rows, left = at[kept], rows[kept], left[kept]
            chosen = picks(cumulated[kept], shares(rng, len(kept)))
            expected = weights[kept, chosen]
        if one.weight is not None:
            expected = expected / one.weight[rows, chosen]
        pairs = one.pairs[rows, chosen]
        at[:, one.step.choice] = one.step.option[pairs]
        rows, left, factor = one.step.source[pairs], left - one.added[pairs], one.factor
    begins, ends = to.prefixes.between(rows, left, of.width)
    low, high = to.prefixes.cumulated[begins], to.prefixes.cumulated[ends]
    if expected is not None:
        kept = (shares(rng, len(rows)) * expected < high - low).nonzero()[0]
        at, begins, ends, low, high = at[kept], begins[kept], ends[kept], low[kept], high[kept]
    drawn = low + shares(rng, len(at)) * (high - low)
    found = np.searchsorted(to.prefixes.cumulated, drawn, side="right") - 1
    to.prefixes.fill(at, np.clip(found, begins, ends - 1), steps)
    return at


def picks(cumulated: Floats, chances: Floats) -> Ints:
    """In every row of cumulated weights an index, each with the share by which the weights rise there."""
    found: Ints = (cumulated <= (chances * cumulated[:, -1])[:, None]).sum(axis=1)
    return found


def shares(rng: random.Random, number: int) -> Floats:
    """Numbers from 0 to below 1: multiples of 2^-52, so that a share of a sum is always less than the sum."""
    bits = np.frombuffer(rng.randbytes(8 * number), dtype="<u8")
    found: Floats = (bits >> np.uint64(12)).astype(np.float64) * 2.0**-52
    return found
