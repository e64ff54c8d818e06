"""Uniform draws among the sub-networks whose costs lie in a window.

Draws go backwards through the histograms of a sweep. Where these hold rounded costs, drawing from the window widened by
what the roundings can lose, and keeping the draws whose true cost is inside, is again uniform over the window, only
some draws are wasted. Their number is limited, so nothing hangs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from specc.portable.choices import Option, Space, assignment_at, draw, positions
from specc.portable.histogram import ANY, Limits, backwards, histograms, pick
from specc.portable.sweep import Sweep, TooEntangled, leads_to, sweep

TRIES = 200
"""The most draws made for each one wanted, where some are wasted."""


class EmptyWindow(ValueError):
    """No sub-network lies in the window. `nearest` holds the (macs, params) of those closest to it, below and above."""

    def __init__(self, message: str, nearest: tuple[tuple[int, int], ...]) -> None:
        super().__init__(message)
        self.nearest = nearest


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Sub-networks and their costs.

    exact    whether costs were never rounded; where they were, draws are uniform all the same, but fewer
             than asked for may have been found in `tries` tries
    uniform  false where the choices were too entangled for a sweep, so that sub-networks were drawn by the
             `independent` distribution and kept where they fit
    """

    assignments: tuple[dict[str, Option], ...]
    macs: tuple[int, ...]
    params: tuple[int, ...]
    exact: bool
    tries: int
    uniform: bool = True


def draw_in_window(
    space: Space, number: int, rng: random.Random, macs: Limits = ANY, params: Limits = ANY
) -> Draws:
    """`number` draws, uniform over the canonical assignments with both costs within their limits (inclusive).

    Raises EmptyWindow where there are none, as far as can be told.
    """
    window = (macs, params)
    try:
        swept = sweep(space, with_costs=True)
        scale, table = histograms(swept, window)
    except TooEntangled:
        return tried_out(space, number, rng, window)
    last = table[-1]
    if not len(last.codes):
        raise empty(swept, window)
    leading = [leads_to(step) for step in swept.steps]
    total = np.cumsum(last.ways)

    def attempt() -> list[int]:
        return backwards(swept, scale, table, leading, pick(total, rng), rng)

    found, tries = kept(space, number, attempt, window)
    if not found:
        raise empty(swept, window)
    return draws(space, found, exact=scale.slack == (0, 0), tries=tries)


def tried_out(
    space: Space, number: int, rng: random.Random, window: tuple[Limits, Limits]
) -> Draws:
    """Draws by the `independent` distribution, kept where they fit, from a bounded number of tries."""

    def attempt() -> list[int]:
        row: list[int] = positions(space, [draw(space, rng)])[0].tolist()
        return row

    found, tries = kept(space, number, attempt, window)
    if not found:
        raise EmptyWindow(f"none of {tries:,} sub-networks drawn at random lies in the window", ())
    return draws(space, found, exact=False, tries=tries, uniform=False)


Found = list[tuple[list[int], tuple[int, int]]]


def kept(
    space: Space,
    number: int,
    attempt: Callable[[], list[int]],
    window: tuple[Limits, Limits],
) -> tuple[Found, int]:
    """The first `number` attempts whose true costs lie in the window, with these, and how many were made."""
    found: Found = []
    tries = 0
    while len(found) < number and tries < TRIES * number:
        wanted = min(number - len(found), 1024)
        tries += wanted
        rows = [attempt() for _ in range(wanted)]
        costs = true_costs(space, rows)
        found += [pair for pair in zip(rows, costs, strict=True) if inside(pair[1], window)]
    return found, tries


def draws(space: Space, found: Found, exact: bool, tries: int, uniform: bool = True) -> Draws:
    """Found rows as assignments."""
    return Draws(
        assignments=tuple(assignment_at(space, row) for row, _ in found),
        macs=tuple(macs for _, (macs, _) in found),
        params=tuple(params for _, (_, params) in found),
        exact=exact,
        tries=tries,
        uniform=uniform,
    )


def inside(cost: tuple[int, int], window: tuple[Limits, Limits]) -> bool:
    return all(low <= value <= high for value, (low, high) in zip(cost, window, strict=True))


def true_costs(space: Space, rows: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    assert space.costs is not None
    macs, params = space.costs(
        np.array(rows, dtype=np.int64).reshape(len(rows), len(space.choices))
    )
    return list(zip(macs.tolist(), params.tolist(), strict=True))


def empty(swept: Sweep, window: tuple[Limits, Limits]) -> EmptyWindow:
    """What to raise where a window holds nothing: the reachable costs next to it, one kind at a time."""
    words, nearest = [], []
    names = ("MACs", "parameters")
    for kind, (low, high) in enumerate(window):
        if (low, high) == ANY:
            continue
        alone: tuple[Limits, Limits] = ((low, high), ANY) if kind == 0 else (ANY, (low, high))
        for costs in closest(swept, kind, low, high):
            nearest.append(costs)
        kinds = sorted({costs[kind] for costs in nearest})
        holds = any(inside(costs, alone) for costs in nearest)
        if not holds and kinds:
            words.append(
                f"the nearest reachable {names[kind]} are {' and '.join(f'{k:,}' for k in kinds)}"
            )
    reason = "; ".join(words) or "each limit alone can be met, but not both together"
    return EmptyWindow(f"no sub-network lies in the window: {reason}", tuple(nearest))


def closest(swept: Sweep, kind: int, low: float, high: float) -> list[tuple[int, int]]:
    """The costs of the sub-networks next below `low` and next above `high`, as far as costs are told apart.

    Where a sub-network lies within the limits, its costs stand alone.
    """
    everything: Limits = (-1.0, inf)
    window = (everything, ANY) if kind == 0 else (ANY, everything)
    scale, table = histograms(swept, window)
    key = table[-1].codes // scale.strides[0] if kind == 0 else table[-1].codes % scale.strides[0]
    cost = key * scale.units[kind] + scale.offset[kind] + swept.base[kind]
    leading = [leads_to(step) for step in swept.steps]
    rng = random.Random(0)
    ends = {
        int(np.argmin(np.where(side, np.abs(cost - edge), np.inf)))
        for side, edge in (
            (cost < low, low),
            (cost > high, high),
            ((low <= cost) & (cost <= high), low),
        )
        if side.any() and abs(edge) != inf
    }
    rows = [backwards(swept, scale, table, leading, end, rng) for end in sorted(ends)]
    return true_costs(swept.space, rows)
