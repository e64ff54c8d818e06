"""How many assignments reach every row of a sweep at every cost.

With costs as they are this is exact, and possible while distinct costs stay within ENTRY_LIMIT. Beyond that costs are
rounded down to a coarser unit, and the sum of what the roundings can lose is known.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, inf

import numpy as np
from numpy.typing import NDArray

from specc.portable.sweep import Ints, Step, Sweep, TooEntangled, reach

ENTRY_LIMIT = 3_000_000
"""The most (row, cost) entries times options of one step that are still treated exactly."""
RESOLUTIONS = (1 << 14, 1 << 11, 1 << 8)
"""The number of different costs told apart when they are rounded: the first that stays within the limit is taken."""

Floats = NDArray[np.float64]
Limits = tuple[float, float]
ANY: Limits = (-inf, inf)


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """How many ways (`ways`, scaled) lead to each (row, cost), as sorted codes row * span + cost."""

    codes: Ints
    ways: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Costs in units, key = sum over kinds of cost // unit * stride, all from 0; `slack` bounds the roundings."""

    units: tuple[int, int]
    strides: tuple[int, int]
    span: int
    offset: tuple[int, int]
    slack: tuple[int, int]
    keys: tuple[Ints, ...]


def histograms(swept: Sweep, window: tuple[Limits, Limits]) -> tuple[Scale, list[Entries]]:
    """The entries after every step that can end in the window, with costs as fine as the limit allows."""
    resolutions = (0, *RESOLUTIONS)
    for resolution in resolutions:
        scale = scaled(swept.steps, resolution, window)
        try:
            return scale, forward(swept, scale, window)
        except TooEntangled:
            if resolution == resolutions[-1]:
                raise
    raise TooEntangled


def scaled(steps: Sequence[Step], resolution: int, window: tuple[Limits, Limits]) -> Scale:
    """Units in which every cost is whole (`resolution` 0), or that tell about `resolution` costs apart.

    A kind without limits is not told apart at all. With both limited, each gets the root of the resolution.
    """
    limited = [limits != ANY for limits in window]
    fine = resolution if sum(limited) < 2 else int(resolution**0.5)
    units, offset, slack, spans = [], [], [], []
    parts: list[list[Ints]] = []
    for kind in (0, 1):
        lows = [int(step.added[:, kind].min()) for step in steps]
        costs = [step.added[:, kind] - low for step, low in zip(steps, lows, strict=True)]
        reach_of_all = sum(int(c.max()) for c in costs)
        unit = 1
        if not limited[kind]:
            costs = [np.zeros_like(c) for c in costs]
        else:
            unit = max(1, gcd(*(int(np.gcd.reduce(c)) for c in costs)))
            unit = max(unit, -(-reach_of_all // fine)) if resolution else unit
        keys = [c // unit for c in costs]
        parts.append(keys)
        offset.append(sum(lows))
        slack.append(sum(int((c - k * unit).max()) for c, k in zip(costs, keys, strict=True)))
        spans.append(1 + sum(int(k.max()) for k in keys))
        units.append(unit)
    return Scale(
        units=(units[0], units[1]),
        strides=(spans[1], 1),
        span=spans[0] * spans[1],
        offset=(offset[0], offset[1]),
        slack=(slack[0], slack[1]),
        keys=tuple(macs * spans[1] + params for macs, params in zip(*parts, strict=True)),
    )


def forward(swept: Sweep, scale: Scale, window: tuple[Limits, Limits]) -> list[Entries]:
    """The entries before the first step and after every one. Raises TooEntangled where they outgrow ENTRY_LIMIT."""
    steps = swept.steps
    bounds = [(reach(steps, kind, True), reach(steps, kind, False)) for kind in (0, 1)]
    passed = [0, 0]
    codes, ways = np.zeros(1, np.int64), np.ones(1)
    table = [Entries(codes, ways)]
    for number, (step, keys) in enumerate(zip(steps, scale.keys, strict=True)):
        before = steps[number - 1].rows if number else 1
        if step.rows * scale.span >= 1 << 62:
            raise TooEntangled
        first = np.searchsorted(step.source, np.arange(before + 1))
        fans = np.diff(first)[codes // scale.span]
        if int(fans.sum()) > ENTRY_LIMIT:
            raise TooEntangled
        origin = np.repeat(np.arange(len(codes)), fans)
        pair = (
            np.arange(len(origin))
            - np.repeat(np.cumsum(fans) - fans, fans)
            + first[codes // scale.span][origin]
        )
        codes, ways = gathered(
            step.target[pair] * scale.span + codes[origin] % scale.span + keys[pair], ways[origin]
        )
        keep = np.ones(len(codes), dtype=bool)
        row = codes // scale.span
        for kind in (0, 1):
            passed[kind] += int(step.added[:, kind].min())
            ends = (bounds[kind][0][number + 1][row], bounds[kind][1][number + 1][row])
            start = passed[kind] + swept.base[kind]
            keep &= may_reach(codes % scale.span, kind, scale, start, ends, window[kind])
        codes, ways = codes[keep], ways[keep]
        ways = ways / 2.0**100 if len(ways) and ways.max() > 2.0**200 else ways
        table.append(Entries(codes, ways))
    return table


def may_reach(
    key: Ints, kind: int, scale: Scale, start: int, ends: tuple[Ints, Ints], limits: Limits
) -> NDArray[np.bool_]:
    """Which entries can still end inside the limits of one kind: between `ends` is to come.

    The true cost exceeds what a key says, counted from `start`, by at most the slack.
    """
    if limits == ANY:
        return np.ones(len(key), dtype=bool)
    part = key // scale.strides[0] if kind == 0 else key % scale.strides[0]
    cost = part * scale.units[kind] + start
    least, most = ends
    return (cost + least <= limits[1]) & (cost + scale.slack[kind] + most >= limits[0])


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


def pick(cumulated: Floats, rng: random.Random) -> int:
    """An index, each with the share by which the cumulated weights rise there."""
    at = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
    return min(at, len(cumulated) - 1)


def backwards(
    swept: Sweep,
    scale: Scale,
    table: Sequence[Entries],
    leading: Sequence[Sequence[Sequence[int]]],
    end: int,
    rng: random.Random,
) -> list[int]:
    """The option positions of one assignment drawn among those that reach an entry of the last step."""
    at = [0] * len(swept.space.choices)
    code = int(table[-1].codes[end])
    for number in reversed(range(len(swept.steps))):
        step = swept.steps[number]
        row, key = divmod(code, scale.span)
        pairs = np.array(leading[number][row], dtype=np.int64)
        earlier = key - scale.keys[number][pairs]
        sources = step.source[pairs] * scale.span + earlier
        entries = table[number]
        place = np.minimum(np.searchsorted(entries.codes, sources), len(entries.codes) - 1)
        known = (entries.codes[place] == sources) & (earlier >= 0)
        ways = np.where(known, entries.ways[place], 0.0)
        chosen = pick(np.cumsum(ways), rng)
        at[step.choice] = int(step.option[pairs[chosen]])
        code = int(sources[chosen])
    return at
