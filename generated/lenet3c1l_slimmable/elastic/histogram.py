"""How many assignments lead to every row of a sweep at every cost.

With costs as they are this is exact, and possible while there are few distinct ones (`exact`). Otherwise costs are
rounded down to a coarser unit (`rounded`); what that can lose in all is known, so that nothing is missed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .sweep import Ints, Step, Sweep, TooEntangled, reach

ENTRY_LIMIT = 3_000_000
"""The most (row, cost) entries times options of one step that are still treated exactly."""
CELLS = 12_000_000
"""The most (row, rounded cost) cells of all steps together: 96 MB."""
ADDITIONS = 1_500_000_000
"""The most additions of cells into cells, about a second or two."""
TOGETHER = 1_000_000
"""About the most (draw, pair) cells that are weighed at once."""

Floats = NDArray[np.float64]
Limits = tuple[float, float]
Window = tuple[Limits, Limits]
"""Limits for MACs and for parameters, inclusive."""
ANY: Limits = (-inf, inf)


class Table(Protocol):
    """The ways to reach every (row, key) after some step, up to a common factor."""

    def at(self, rows: Ints, keys: Ints) -> Floats: ...

    def ends(self) -> tuple[Ints, Floats]:
        """The keys of the only row, and the ways to reach them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Sorted codes row * span + key, and the ways to reach each."""

    codes: Ints
    ways: Floats
    span: int

    def at(self, rows: Ints, keys: Ints) -> Floats:
        wanted = rows * self.span + keys
        place = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        return np.where((self.codes[place] == wanted) & (keys >= 0), self.ways[place], 0.0)

    def ends(self) -> tuple[Ints, Floats]:
        return self.codes, self.ways


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """The ways to reach every cell, [rows, keys]."""

    ways: Floats

    def at(self, rows: Ints, keys: Ints) -> Floats:
        inside = (keys >= 0) & (keys < self.ways.shape[1])
        return np.where(inside, self.ways[rows, np.where(inside, keys, 0)], 0.0)

    def ends(self) -> tuple[Ints, Floats]:
        keys = np.flatnonzero(self.ways[0]).astype(np.int64)
        return keys, self.ways[0][keys]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Costs as keys: the sum over kinds of (cost - base) // unit * stride.

    A kind that is not told apart has span 1. `slack` is the most that all roundings of a kind can lose together;
    `keys` holds what every pair of every step adds to the key, and `lows` what it adds beside that.
    """

    units: tuple[int, int]
    spans: tuple[int, int]
    bases: tuple[int, int]
    slack: tuple[int, int]
    lows: tuple[tuple[int, ...], tuple[int, ...]]
    keys: tuple[Ints, ...]

    @property
    def span(self) -> int:
        return self.spans[0] * self.spans[1]

    def costs(self, keys: Ints, kind: int) -> Ints:
        """The costs that keys stand for, rounded down."""
        part = keys // self.spans[1] if kind == 0 else keys % self.spans[1]
        return part * self.units[kind] + self.bases[kind]


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """The pairs of a step by the row they lead to: those to row r are order[first[r] : first[r + 1]]."""

    order: Ints
    first: Ints

    def to(self, row: int) -> Ints:
        return self.order[self.first[row] : self.first[row + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """The tables before the first step and after every one, and the pairs that lead to every row."""

    swept: Sweep
    scale: Scale
    tables: Sequence[Table]
    leading: Sequence[Leading]

    @property
    def is_exact(self) -> bool:
        return self.scale.slack == (0, 0)


def leading_of(step: Step) -> Leading:
    """The pairs of a step, sorted by where they lead."""
    order = np.argsort(step.target, kind="stable").astype(np.int64)
    first = np.searchsorted(step.target[order], np.arange(step.rows + 1)).astype(np.int64)
    return Leading(order, first)


def scaled(swept: Sweep, kinds: Sequence[int], most: int | None) -> Scale:
    """The scale that tells some kinds of cost apart: exactly, or at about `most` keys in all."""
    units, spans, bases, slack, lows = [], [], [], [], []
    parts: list[list[Ints]] = []
    for kind in (0, 1):
        low = [int(step.added[:, kind].min()) for step in swept.steps]
        costs = [step.added[:, kind] - least for step, least in zip(swept.steps, low, strict=True)]
        total = sum(int(cost.max()) for cost in costs)
        unit = max(1, gcd(*(int(np.gcd.reduce(cost)) for cost in costs)))
        if kind not in kinds:
            unit = total + 1
        elif most is not None:
            unit = max(unit, -(-total // max(1, int(most ** (1 / len(kinds))) - len(costs))))
        keys = [cost // unit for cost in costs]
        left = [int((cost - key * unit).max()) for cost, key in zip(costs, keys, strict=True)]
        units.append(unit)
        spans.append(1 + sum(int(key.max()) for key in keys))
        bases.append(swept.base[kind] + sum(low))
        slack.append(sum(left) if kind in kinds else 0)
        lows.append(tuple(low))
        parts.append(keys)
    return Scale(
        units=(units[0], units[1]),
        spans=(spans[0], spans[1]),
        bases=(bases[0], bases[1]),
        slack=(slack[0], slack[1]),
        lows=(lows[0], lows[1]),
        keys=tuple(macs * spans[1] + params for macs, params in zip(*parts, strict=True)),
    )


def exact(swept: Sweep, window: Window) -> Histograms:
    """The ways to every cost that can still end in the window. Raises TooEntangled where they are too many."""
    kinds = [kind for kind in (0, 1) if window[kind] != ANY]
    scale = scaled(swept, kinds, None)
    bounds = [(reach(swept.steps, kind, True), reach(swept.steps, kind, False)) for kind in kinds]
    codes, ways = np.zeros(1, np.int64), np.ones(1)
    tables = [Sparse(codes, ways, scale.span)]
    for number, (step, keys) in enumerate(zip(swept.steps, scale.keys, strict=True)):
        before = swept.steps[number - 1].rows if number else 1
        if step.rows * scale.span >= 1 << 62:
            raise TooEntangled
        first = np.searchsorted(step.source, np.arange(before + 1))
        fans = np.diff(first)[codes // scale.span]
        if int(fans.sum()) > ENTRY_LIMIT:
            raise TooEntangled
        origin = np.repeat(np.arange(len(codes)), fans)
        start = (first[codes // scale.span] - np.cumsum(fans) + fans)[origin]
        pair = np.arange(len(origin)) + start
        reached = step.target[pair] * scale.span + codes[origin] % scale.span + keys[pair]
        codes, ways = gathered(reached, ways[origin])
        row, keep = codes // scale.span, np.ones(len(codes), dtype=bool)
        for kind, (least, most) in zip(kinds, bounds, strict=True):
            coming = sum(scale.lows[kind][number + 1 :])
            cost = scale.costs(codes % scale.span, kind) - coming
            low, high = window[kind]
            keep &= (cost + least[number + 1][row] <= high) & (cost + most[number + 1][row] >= low)
        codes, ways = codes[keep], lightened(ways[keep])
        tables.append(Sparse(codes, ways, scale.span))
    return Histograms(swept, scale, tables, [leading_of(step) for step in swept.steps])


def gathered(codes: Ints, ways: Floats) -> tuple[Ints, Floats]:
    """Equal codes as one entry, sorted; by counting where codes are dense, by sorting where they are not."""
    if not len(codes):
        return codes, ways
    low, high = int(codes.min()), int(codes.max())
    if high - low < max(4 * len(codes), 1 << 16):
        sums: Floats = np.bincount(codes - low, weights=ways).astype(np.float64, copy=False)
        present = np.flatnonzero(sums).astype(np.int64)
        return present + low, sums[present]
    unique, back = np.unique(codes, return_inverse=True)
    summed: Floats = np.bincount(back.reshape(-1), weights=ways).astype(np.float64, copy=False)
    return unique, summed


def lightened(ways: Floats) -> Floats:
    """Ways far beyond what is ever compared, scaled down before they overflow."""
    return ways * 2.0**-600 if len(ways) and ways.max() > 2.0**600 else ways


def rounded(swept: Sweep, kinds: Sequence[int]) -> Histograms:
    """The ways to every rounded cost, as finely rounded as CELLS and ADDITIONS allow."""
    rows = 1 + sum(step.rows for step in swept.steps)
    pairs = 1 + sum(len(step.source) for step in swept.steps)
    scale = scaled(swept, kinds, max(1, min(CELLS // rows, ADDITIONS // pairs)))
    ways, filled = np.ones((1, 1)), 1
    tables = [Dense(ways)]
    for step, keys in zip(swept.steps, scale.keys, strict=True):
        wider = filled + int(keys.max())
        after = np.zeros((step.rows, wider))
        moves = zip(step.source.tolist(), step.target.tolist(), keys.tolist(), strict=True)
        for source, target, key in moves:
            after[target, key : key + filled] += ways[source]
        ways, filled = lightened(after.reshape(-1)).reshape(after.shape), wider
        tables.append(Dense(ways))
    return Histograms(swept, scale, tables, [leading_of(step) for step in swept.steps])


def ends(histograms: Histograms, window: Window) -> tuple[Ints, Floats]:
    """The final keys whose costs may lie in the window, and the ways to reach them."""
    scale = histograms.scale
    keys, ways = histograms.tables[-1].ends()
    keep = np.ones(len(keys), dtype=bool)
    for kind in (0, 1):
        if scale.spans[kind] > 1 or scale.units[kind] == 1:
            cost = scale.costs(keys, kind)
            low, high = window[kind]
            keep &= (cost <= high) & (cost + scale.slack[kind] >= low)
    return keys[keep], ways[keep]


def pick(cumulated: Floats, rng: random.Random) -> int:
    """An index, each with the share by which the cumulated weights rise there."""
    at = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
    return min(at, len(cumulated) - 1)


def backwards(histograms: Histograms, end: Ints, rng: random.Random) -> Ints:
    """The option positions of assignments, [n, choices]: for every final key in `end` one of those that reach it, each
    equally often."""
    swept, number = histograms.swept, len(end)
    at = np.zeros((number, len(swept.space.choices)), np.int64)
    row, key = np.zeros(number, np.int64), end.copy()
    for place in reversed(range(len(swept.steps))):
        step, leading = swept.steps[place], histograms.leading[place]
        shares = np.array([rng.random() for _ in range(number)])
        after = row.copy()
        for target in np.unique(after):
            pairs = leading.to(int(target))
            mine = np.flatnonzero(after == target)
            for start in range(0, len(mine), max(1, TOGETHER // len(pairs))):
                here = mine[start : start + max(1, TOGETHER // len(pairs))]
                earlier = key[here][:, None] - histograms.scale.keys[place][pairs]
                ways = histograms.tables[place].at(step.source[pairs], earlier)
                chosen = picks(np.cumsum(ways, axis=1), shares[here])
                at[here, step.choice] = step.option[pairs[chosen]]
                row[here] = step.source[pairs[chosen]]
                key[here] = earlier[np.arange(len(here)), chosen]
    return at


def picks(cumulated: Floats, shares: Floats) -> Ints:
    """In every row of cumulated weights an index, each with the share by which the weights rise there."""
    total = cumulated[:, -1:]
    chosen = (cumulated <= shares[:, None] * total).sum(axis=1)
    # A share that rounds up to the whole must not lead past the last weight that is not 0.
    last: Ints = np.minimum(chosen, (cumulated < total).sum(axis=1))
    return last
