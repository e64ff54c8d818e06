"""Upper bounds on how many ways lead to each row of a sweep at a cost within a window, by the window's top.

N(row, r), the ways to a row that cost between r - width and r, is the sum over the pairs that lead there of N(source,
r - what the pair adds). That has far too many values to hold exactly. What is held is U >= N, linear between knots a
unit u apart: the sum of the sources' U is taken at the knots, and what it can exceed the line between two knots by is
added. This error is of second order in u: a kink by which the slope falls by d, at the share f between two knots, rises
above the line by f (1 - f) d u.

Whoever draws a pair in proportion to U(source) and goes on from a row with probability sum U(sources) / U(row) <= 1,
from the last step back to those that are listed, where N itself is known, draws every way equally often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from specc.space.line import Goal
from specc.space.prefixes import Floats, Prefixes, Weights
from specc.space.sweep import Ints, Step, Sweep

FEWEST = 200
"""The least number of knots that a step's widest range of tops is divided by, if it is so wide."""
LEAST = 24
"""The least where very many rows need them."""
KEPT = 4_000_000
"""The most (row, knot) cells that are kept, of 16 bytes each."""
BEYOND = 3
"""Knots behind the last one needed: what is between them is not asked for, but lines to them are."""
AT_ONCE = 150_000
"""About so many (pair, knot) cells are treated at once: what the processor's cache holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Majorant:
    """U before one step: `values` [rows, knots], at lows[row] + unit * knot; 0 below the first knot.

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


def ranges(swept: Sweep, goal: Goal, prefixes: Prefixes) -> list[Range]:
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
    for place in range(taken, len(swept.steps)):
        step, added = swept.steps[place], line.added[place]
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


def majorants(
    swept: Sweep, goal: Goal, prefixes: Prefixes, weights: Weights | None, cells: int
) -> list[Majorant]:
    """U before every step that is not listed, with about `cells` (pair, knot) and (row, knot) cells in all, of which
    at most KEPT are kept.

    Every step has about as many knots, the further apart the wider the range of its tops is: those of the first few
    choices cost little, but how much is soon decisive.
    """
    found = ranges(swept, goal, prefixes)
    steps = swept.steps[prefixes.taken : len(swept.steps) - 1]
    rows = sum(len(range_.lows) for range_ in found)
    pairs = rows + sum(len(step.source) for step in steps)
    most = min(max(FEWEST, cells // pairs), max(LEAST, KEPT // rows))
    unit = max(1, -(-found[0].widest // most))
    tables = [first_of(prefixes, found[0], goal.width, unit)]
    for place, (step, range_) in enumerate(zip(steps, found[1:], strict=True), prefixes.taken):
        weight = None if weights is None else weights[place]
        table = tables[-1]
        while knots_of(range_, table.unit) > 4 * most:
            table = coarser(table)
        table = next_of(table, step, goal.line.added[place], weight, range_)
        while table.values.shape[1] > 2 * most:
            table = coarser(table)
        tables.append(table)
    return tables


def coarser(table: Majorant) -> Majorant:
    """Every other knot, raised by what those between exceed the lines."""
    rows, knots = table.values.shape
    values = np.zeros((rows, knots + knots % 2 + 2))
    values[:, :knots] = table.values
    kept, between = values[:, ::2], values[:, 1::2]
    above = np.maximum(between[:, :-1] - (kept[:, :-1] + kept[:, 1:]) / 2, 0.0)
    raised = kept.copy()
    # A knot between exceeds the line by as much as both its neighbours are raised.
    raised[:, :-1] = np.maximum(raised[:, :-1], kept[:, :-1] + above)
    raised[:, 1:] = np.maximum(raised[:, 1:], kept[:, 1:] + above)
    return Majorant(table.lows, raised, table.factor, 2 * table.unit)


def knots_of(range_: Range, unit: int) -> int:
    """So many that some lie beyond the range."""
    return -(-range_.widest // unit) + 1 + BEYOND


def first_of(prefixes: Prefixes, range_: Range, width: int, unit: int) -> Majorant:
    """U of what is listed: N at the knots, and by how much it exceeds the line between two of them."""
    lows, knots = range_.lows, knots_of(range_, unit)
    rows, costs = prefixes.rows, prefixes.costs
    heavy = np.diff(prefixes.cumulated)
    values = np.zeros((len(lows), knots + 1))
    for costs_of, sign in ((costs, 1.0), (costs + width + unit, -1.0)):
        # A way counts from the first knot at or above its cost, up to the last that is `width` above it.
        shift = 1 if sign > 0 else 0
        knot = np.clip((costs_of - lows[rows] + shift * (unit - 1)) // unit, 0, knots)
        cell = np.bincount(
            rows * (knots + 1) + knot, weights=sign * heavy, minlength=len(lows) * (knots + 1)
        )
        values += cell.reshape(values.shape)
    values = np.cumsum(values, axis=1)[:, :knots]
    above = np.zeros((len(lows), knots))
    # Between knots N exceeds a line most where a way comes in, just before one goes out, or where the range ends.
    for peaks in (costs, np.minimum(costs + width, range_.highs[rows])):
        inside = (peaks >= lows[rows]) & (costs <= range_.highs[rows])
        at, row = peaks[inside] - lows[rows[inside]], rows[inside]
        knot = at // unit
        share = (at - knot * unit) / unit
        on_line = (1 - share) * values[row, knot] + share * values[row, knot + 1]
        excess = prefixes.weight(row, peaks[inside], width) - on_line
        cell = row * knots + knot
        firsts = np.flatnonzero(np.diff(cell, prepend=-1))
        if len(firsts):
            worst = np.maximum.reduceat(excess, firsts)
            flat = above.reshape(-1)
            flat[cell[firsts]] = np.maximum(flat[cell[firsts]], worst)
    return lifted(values, above, range_, unit)


def lifted(values: Floats, above: Floats, range_: Range, unit: int) -> Majorant:
    """Values at knots, raised by what is above the lines on both sides; nothing far out of a row's range."""
    above[:, 1:] = np.maximum(above[:, 1:], above[:, :-1])
    values = np.maximum(values + above, 0.0)
    last = -(-(range_.highs - range_.lows) // unit) + BEYOND
    values[np.arange(values.shape[1]) > np.where(range_.lows > range_.highs, -1, last)[:, None]] = 0
    most = float(values.max(initial=0.0))
    if most > 2.0**600:
        # Far beyond what is ever compared: scaled down before it overflows.
        return Majorant(range_.lows, values * 2.0**-600, 2.0**-600, unit)
    return Majorant(range_.lows, values, 1.0, unit)


def next_of(
    table: Majorant, step: Step, added: Ints, weight: Floats | None, range_: Range
) -> Majorant:
    """U after a step, from U before it, with knots as far apart."""
    unit = table.unit
    lead, knots = leading(step), knots_of(range_, unit)
    rows, before = table.values.shape
    # Zeros for lines that begin before the first knot or go on behind the last, and a row for pairs that are none.
    values = np.zeros((rows + 1, (knots + 2) + before + (knots + 3)))
    values[:rows, knots + 2 : knots + 2 + before] = table.values
    falls = np.zeros_like(values)
    falls[:, 1:-1] = np.maximum(2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:], 0)
    lines = sliding_window_view(values, knots + 1, axis=1)
    kinks = sliding_window_view(falls, knots + 1, axis=1)
    sums, above = np.zeros((step.rows, knots)), np.zeros((step.rows, knots))
    for some in chunks(lead, knots):
        pairs, is_one = lead.pairs[some], lead.is_one[some]
        source = np.where(is_one, step.source[pairs], rows)
        lows = np.append(table.lows, 0)
        begin = range_.lows[some][:, None] - added[pairs] - lows[source]
        knot = begin // unit
        share = (begin - knot * unit) / unit
        knot = np.clip(knot, -knots - 2, before) + knots + 2
        factor = np.where(is_one, 1.0 if weight is None else weight[pairs], 0.0)
        both = np.stack([(1 - share) * factor, share * factor], axis=1)
        ends = both @ lines[source, knot]
        sums[some] = ends[:, 0, :-1] + ends[:, 1, 1:]
        if unit > 1:
            bend = (share * (1 - share) * factor)[:, None]
            above[some] = (bend @ kinks[source, knot])[:, 0, 1:]
    return lifted(sums, above, range_, unit)


def chunks(lead: Leading, knots: int) -> Iterator[slice]:
    """Rows in groups of about AT_ONCE cells."""
    rows, fan = lead.pairs.shape
    some = max(1, AT_ONCE // (fan * knots))
    return (slice(start, start + some) for start in range(0, rows, some))
