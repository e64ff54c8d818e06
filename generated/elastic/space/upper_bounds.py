"""Upper bounds on how many ways lead to each row of an elimination at a cost within a window, by the window's top.

N(row, r), the ways to a row that cost between r - width and r, is the sum over the pairs that lead there of N(source,
r - what the pair adds). That has far too many values to hold exactly. What is held is U >= N, piecewise linear with
breakpoints a unit u apart: the sum of the sources' U is taken at the breakpoints, and its largest excess over the line
between two of them is added. This error is of second order in u: a kink by which the slope falls by d, at the share f
between two breakpoints, rises above the line by f (1 - f) d u.

Whoever draws a pair in proportion to U(source) and goes on from a row with probability sum U(sources) / U(row) <= 1,
from the last step back to those that are listed, where N itself is known, draws every way equally often.

The ways through the first steps are listed one by one, as far as they are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from elastic.space.elimination import Elimination, Ints, Step
from elastic.space.line import Goal

Floats = NDArray[np.float64]
Weights = Sequence[Floats]
"""For every step the factors by which its pairs make a sub-network more likely, [pairs]."""


@dataclass(frozen=True, slots=True, eq=False)
class Prefixes:
    """All ways through the first `taken` steps that can still end where they should, sorted by row and cost.

    rows, costs   [n], where each has come to, and at what cost of the first kind
    cumulated     [n + 1], the weights before each; its number where all weigh the same
    codes         rows * span + costs, to be searched in
    trail         for every step taken, of each way (the way before it, the option taken), both [n at that step]
    """

    taken: int
    rows: Ints
    costs: Ints
    cumulated: Floats
    codes: Ints
    span: int
    trail: tuple[tuple[Ints, Ints], ...]
    order: Ints

    def below(self, rows: Ints, costs: Ints) -> Ints:
        """How many ways come before those of a row that cost more than so much."""
        found: Ints = np.searchsorted(
            self.codes, rows * self.span + np.clip(costs, -1, self.span - 1), side="right"
        ).astype(np.int64)
        return found

    def between(self, rows: Ints, tops: Ints, width: int) -> tuple[Ints, Ints]:
        """The first of the ways in a row that cost `tops` at most and not more than `width` less; the one after the
        last of them."""
        return self.below(rows, tops - width - 1), self.below(rows, tops)

    def weight(self, rows: Ints, tops: Ints, width: int) -> Floats:
        """The weight of these ways."""
        begins, ends = self.between(rows, tops, width)
        found: Floats = self.cumulated[ends] - self.cumulated[begins]
        return found

    def fill(self, at: Ints, chosen: Ints, steps: Sequence[Step]) -> None:
        """Writes the options of chosen ways into rows of option positions, [n, choices]."""
        way = self.order[chosen]
        for place in reversed(range(self.taken)):
            before, option = self.trail[place]
            at[:, steps[place].choice] = option[way]
            way = before[way]

    def between_at(self, row: int, top: int, width: int) -> tuple[int, int]:
        """What `between` says, for one row and one top."""
        begin = row * self.span
        first, last = (
            int(self.codes.searchsorted(begin + min(max(cost, -1), self.span - 1), "right"))
            for cost in (top - width - 1, top)
        )
        return first, last

    def fill_one(self, at: list[int], chosen: int, steps: Sequence[Step]) -> None:
        """What `fill` does, for one way."""
        way = self.order[chosen]
        for place in reversed(range(self.taken)):
            before, option = self.trail[place]
            at[steps[place].choice] = int(option[way])
            way = before[way]


def listed(
    elimination: Elimination, goals: Sequence[Goal], weights: Weights | None, most: int
) -> Prefixes:
    """The ways through as many steps as there are, or as keep their number at `most`.

    The first goal is the one whose costs they are sorted by; ways that cannot meet one of the goals are left out.
    """
    rows = np.zeros(1, np.int64)
    costs = [np.zeros(1, np.int64) for _ in goals]
    weight = np.ones(1)
    trail: list[tuple[Ints, Ints]] = []
    for place, step in enumerate(elimination.steps):
        first = np.searchsorted(step.source, np.arange(len(goals[0].line.least[place]) + 1))
        fans = np.diff(first)[rows]
        if fans.sum() > 4 * most:
            break
        before = np.repeat(np.arange(len(rows)), fans)
        pair = np.arange(len(before)) + (first[rows] - np.cumsum(fans) + fans)[before]
        after = step.target[pair]
        keep = np.ones(len(pair), dtype=bool)
        reached = []
        for one, cost in zip(goals, costs, strict=True):
            reached.append(cost[before] + one.line.added[place][pair])
            keep &= one.keeps(place + 1, after, reached[-1])
        if keep.sum() > most:
            break
        before, pair = before[keep], pair[keep]
        rows, costs = after[keep], [cost[keep] for cost in reached]
        trail.append((before, step.option[pair]))
        if weights is not None:
            weight = weight[before] * weights[place][pair]
    span = 1 + int(goals[0].line.most[0][0])
    codes = rows * span + costs[0]
    order = np.argsort(codes, kind="stable").astype(np.int64)
    heavy = np.cumsum(weight[order] if weights is not None else np.ones(len(order)))
    return Prefixes(
        taken=len(trail),
        rows=rows[order],
        costs=costs[0][order],
        cumulated=np.concatenate([np.zeros(1), heavy]),
        codes=codes[order],
        span=span,
        trail=tuple(trail),
        order=order,
    )


FEWEST = 200
"""The least number of breakpoints that a step's widest range of tops is divided by, if it is so wide."""
LEAST = 24
"""The least where very many rows need them."""
KEPT = 4_000_000
"""The most (row, breakpoint) cells that are kept, of 16 bytes each."""
BEYOND = 3
"""Breakpoints behind the last one needed: what is between them is not asked for, but lines to them are."""
AT_ONCE = 150_000
"""About so many (pair, breakpoint) cells are treated at once: what the processor's cache holds."""


@dataclass(frozen=True, slots=True, eq=False)
class UpperBound:
    """U before one step: `values` [rows, breakpoints], at lows[row] + unit * breakpoint; 0 below the first breakpoint.

    `factor` is what it was scaled by since the step before.
    """

    lows: Ints
    values: Floats
    factor: float
    unit: int


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """The pairs of a step by the row they lead to: `pairs` [rows, fan], -1 where there are fewer."""

    pairs: Ints
    is_one: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """The tops that matter in every row before a step, [rows]; none where lows > highs."""

    lows: Ints
    highs: Ints

    @property
    def widest(self) -> int:
        return int((self.highs - self.lows).max(initial=0))


def leading(step: Step) -> Leading:
    order = np.argsort(step.target, kind="stable")
    counts = np.bincount(step.target, minlength=step.rows)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    pairs = np.full((step.rows, int(counts.max())), -1, np.int64)
    pairs[step.target[order], place] = order
    return Leading(pairs, pairs >= 0)


def ranges(elimination: Elimination, goal: Goal, prefixes: Prefixes) -> list[Range]:
    """The tops that matter before every step that is not listed: below, no way is so cheap, or what is left cannot be
    spent any more; above, it cannot be so little."""
    line, taken = goal.line, prefixes.taken
    far = np.iinfo(np.int64).max // 4
    lows = np.full(len(line.least[taken]), far)
    highs = np.full(len(lows), -far)
    firsts = np.flatnonzero(np.diff(prefixes.rows, prepend=-1))
    lows[prefixes.rows[firsts]] = np.minimum.reduceat(prefixes.costs, firsts)
    highs[prefixes.rows[firsts]] = np.maximum.reduceat(prefixes.costs, firsts)
    found = []
    for place in range(taken, len(elimination.steps)):
        step, added = elimination.steps[place], line.added[place]
        low = np.maximum(lows, goal.lowest - line.most[place])
        high = np.minimum(highs + goal.width, goal.highest - line.least[place])
        dead = (low > high) | (line.least[place] > line.most[place])
        found.append(Range(np.where(dead, 0, low), np.where(dead, -1, high)))
        order = np.argsort(step.target, kind="stable")
        firsts = np.searchsorted(step.target[order], np.arange(step.rows))
        source = step.source[order]
        from_low = np.where(dead[source], far, lows[source] + added[order])
        from_high = np.where(dead[source], -far, highs[source] + added[order])
        lows = np.minimum.reduceat(from_low, firsts)
        highs = np.maximum.reduceat(from_high, firsts)
    return found


def upper_bounds(
    elimination: Elimination, goal: Goal, prefixes: Prefixes, weights: Weights | None, cells: int
) -> list[UpperBound]:
    """U before every step that is not listed, with about `cells` cells in all of (pair, breakpoint) and (row,
    breakpoint), of which at most KEPT are kept.

    Every step has about as many breakpoints, the further apart the wider the range of its tops: those of the first few
    choices cost little, but how much is soon decisive.
    """
    found = ranges(elimination, goal, prefixes)
    steps = elimination.steps[prefixes.taken : len(elimination.steps) - 1]
    rows = sum(len(range_.lows) for range_ in found)
    pairs = rows + sum(len(step.source) for step in steps)
    most = min(max(FEWEST, cells // pairs), max(LEAST, KEPT // rows))
    unit = max(1, -(-found[0].widest // most))
    tables = [first_of(prefixes, found[0], goal.width, unit)]
    for place, (step, range_) in enumerate(zip(steps, found[1:], strict=True), prefixes.taken):
        weight = None if weights is None else weights[place]
        table = tables[-1]
        while breakpoints_of(range_, table.unit) > 4 * most:
            table = coarser(table)
        table = next_of(table, step, goal.line.added[place], weight, range_)
        while table.values.shape[1] > 2 * most:
            table = coarser(table)
        tables.append(table)
    return tables


def coarser(table: UpperBound) -> UpperBound:
    """Every other breakpoint, raised by what those between exceed the lines."""
    rows, breakpoints = table.values.shape
    values = np.zeros((rows, breakpoints + breakpoints % 2 + 2))
    values[:, :breakpoints] = table.values
    kept, between = values[:, ::2], values[:, 1::2]
    above = np.maximum(between[:, :-1] - (kept[:, :-1] + kept[:, 1:]) / 2, 0.0)
    raised = kept.copy()
    # A breakpoint between exceeds the line by as much as both its neighbours are raised.
    raised[:, :-1] = np.maximum(raised[:, :-1], kept[:, :-1] + above)
    raised[:, 1:] = np.maximum(raised[:, 1:], kept[:, 1:] + above)
    return UpperBound(table.lows, raised, table.factor, 2 * table.unit)


def breakpoints_of(range_: Range, unit: int) -> int:
    """So many that some lie beyond the range."""
    return -(-range_.widest // unit) + 1 + BEYOND


def first_of(prefixes: Prefixes, range_: Range, width: int, unit: int) -> UpperBound:
    """U of what is listed: N at the breakpoints, and by how much it exceeds the line between two of them."""
    lows, breakpoints = range_.lows, breakpoints_of(range_, unit)
    rows, costs = prefixes.rows, prefixes.costs
    heavy = np.diff(prefixes.cumulated)
    values = np.zeros((len(lows), breakpoints + 1))
    for costs_of, sign in ((costs, 1.0), (costs + width + unit, -1.0)):
        # A way counts from the first breakpoint at or above its cost, up to the last that is `width` above it.
        shift = 1 if sign > 0 else 0
        point = np.clip((costs_of - lows[rows] + shift * (unit - 1)) // unit, 0, breakpoints)
        cell = np.bincount(
            rows * (breakpoints + 1) + point,
            weights=sign * heavy,
            minlength=len(lows) * (breakpoints + 1),
        )
        values += cell.reshape(values.shape)
    values = np.cumsum(values, axis=1)[:, :breakpoints]
    above = np.zeros((len(lows), breakpoints))
    # Between breakpoints N exceeds a line most where a way comes in, just before one goes out, or where the range ends.
    for peaks in (costs, np.minimum(costs + width, range_.highs[rows])):
        inside = (peaks >= lows[rows]) & (costs <= range_.highs[rows])
        at, row = peaks[inside] - lows[rows[inside]], rows[inside]
        point = at // unit
        share = (at - point * unit) / unit
        on_line = (1 - share) * values[row, point] + share * values[row, point + 1]
        excess = prefixes.weight(row, peaks[inside], width) - on_line
        cell = row * breakpoints + point
        firsts = np.flatnonzero(np.diff(cell, prepend=-1))
        if len(firsts):
            worst = np.maximum.reduceat(excess, firsts)
            flat = above.reshape(-1)
            flat[cell[firsts]] = np.maximum(flat[cell[firsts]], worst)
    return lifted(values, above, range_, unit)


def lifted(values: Floats, above: Floats, range_: Range, unit: int) -> UpperBound:
    """Values at breakpoints, raised by what is above the lines on both sides; nothing far out of a row's range."""
    above[:, 1:] = np.maximum(above[:, 1:], above[:, :-1])
    values = np.maximum(values + above, 0.0)
    last = -(-(range_.highs - range_.lows) // unit) + BEYOND
    values[np.arange(values.shape[1]) > np.where(range_.lows > range_.highs, -1, last)[:, None]] = 0
    most = float(values.max(initial=0.0))
    if most > 2.0**600:
        # Far beyond what is ever compared: scaled down before it overflows.
        return UpperBound(range_.lows, values * 2.0**-600, 2.0**-600, unit)
    return UpperBound(range_.lows, values, 1.0, unit)


def next_of(
    table: UpperBound, step: Step, added: Ints, weight: Floats | None, range_: Range
) -> UpperBound:
    """U after a step, from U before it, with breakpoints as far apart."""
    unit = table.unit
    lead, breakpoints = leading(step), breakpoints_of(range_, unit)
    rows, before = table.values.shape
    # Zeros for lines that begin before the first breakpoint or end after the last, and a row for missing pairs.
    values = np.zeros((rows + 1, (breakpoints + 2) + before + (breakpoints + 3)))
    values[:rows, breakpoints + 2 : breakpoints + 2 + before] = table.values
    falls = np.zeros_like(values)
    falls[:, 1:-1] = np.maximum(2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:], 0)
    lines = sliding_window_view(values, breakpoints + 1, axis=1)
    kinks = sliding_window_view(falls, breakpoints + 1, axis=1)
    sums, above = np.zeros((step.rows, breakpoints)), np.zeros((step.rows, breakpoints))
    for some in chunks(lead, breakpoints):
        pairs, is_one = lead.pairs[some], lead.is_one[some]
        source = np.where(is_one, step.source[pairs], rows)
        lows = np.append(table.lows, 0)
        begin = range_.lows[some][:, None] - added[pairs] - lows[source]
        point = begin // unit
        share = (begin - point * unit) / unit
        point = np.clip(point, -breakpoints - 2, before) + breakpoints + 2
        factor = np.where(is_one, 1.0 if weight is None else weight[pairs], 0.0)
        both = np.stack([(1 - share) * factor, share * factor], axis=1)
        ends = both @ lines[source, point]
        sums[some] = ends[:, 0, :-1] + ends[:, 1, 1:]
        if unit > 1:
            bend = (share * (1 - share) * factor)[:, None]
            above[some] = (bend @ kinks[source, point])[:, 0, 1:]
    return lifted(sums, above, range_, unit)


def chunks(lead: Leading, breakpoints: int) -> Iterator[slice]:
    """Rows in groups of about AT_ONCE cells."""
    rows, fan = lead.pairs.shape
    some = max(1, AT_ONCE // (fan * breakpoints))
    return (slice(start, start + some) for start in range(0, rows, some))
