"""Uniform draws among the sub-networks whose costs lie in a window.

Draws go backwards through the histograms of a sweep. Where these hold rounded costs, drawing from the window widened by
what the roundings can lose, and keeping the draws whose true cost is inside, is again uniform over the window, only
some draws are wasted. Their number is limited, so nothing hangs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from .choices import Option, Space, assignment_at, draw, positions
from .histogram import (
    ANY,
    Floats,
    Histograms,
    Limits,
    Window,
    backwards,
    ends,
    exact,
    pick,
    rounded,
)
from .sweep import Ints, Sweep, TooEntangled, sweep

TRIES = 200
"""The most draws made for each one wanted, from each kind of histogram, where some are wasted."""


Attempts: TypeAlias = Callable[[random.Random, int], list[list[int]]]
"""So many draws, as rows of option positions; some may miss the window."""


class EmptyWindow(ValueError):
    """Nothing was found in the window. `nearest` holds the (macs, params) found closest to it."""

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


@dataclass(slots=True)
class Catch:
    """What was drawn so far: rows of positions whose costs fit, with these; the costs of all others; all tries."""

    found: list[tuple[list[int], tuple[int, int]]] = field(default_factory=list)
    missed: list[tuple[int, int]] = field(default_factory=list)
    tries: int = 0

    def draws(self, space: Space, exact: bool, uniform: bool = True) -> Draws:
        return Draws(
            assignments=tuple(assignment_at(space, row) for row, _ in self.found),
            macs=tuple(macs for _, (macs, _) in self.found),
            params=tuple(params for _, (_, params) in self.found),
            exact=exact,
            tries=self.tries,
            uniform=uniform,
        )


def draw_in_window(
    space: Space, number: int, rng: random.Random, macs: Limits = ANY, params: Limits = ANY
) -> Draws:
    """`number` draws, uniform over the canonical assignments with both costs within their limits (inclusive).

    Raises EmptyWindow where none was found, naming the nearest costs.
    """
    window = (macs, params)
    catch = Catch()
    try:
        swept = sweep(space, with_costs=True)
    except TooEntangled:
        fish(catch, space, number, by_chance(space), rng, window)
        if not catch.found:
            message = f"none of {catch.tries:,} sub-networks drawn at random lies in the window"
            raise EmptyWindow(message, ()) from None
        return catch.draws(space, exact=False, uniform=False)
    is_exact = True
    for histograms in proposals(swept, window):
        is_exact = histograms.is_exact
        keys, ways = ends(histograms, window)
        if not len(keys):
            raise EmptyWindow(*nearest(swept, window, [], certain=True))
        fish(catch, space, number, drawer(histograms, keys, np.cumsum(ways)), rng, window)
        if len(catch.found) == number:
            break
    if not catch.found:
        raise EmptyWindow(*nearest(swept, window, catch.missed, certain=is_exact))
    return catch.draws(space, is_exact)


def proposals(swept: Sweep, window: Window) -> Iterator[Histograms]:
    """The exact histograms, or rounded ones: of the kind whose limits are the narrower, the other, both."""
    try:
        found = exact(swept, window)
    except TooEntangled:
        pass
    else:
        yield found
        return
    kinds = [kind for kind in (0, 1) if window[kind] != ANY]
    alone = [rounded(swept, [kind]) for kind in kinds]
    yield from sorted(alone, key=lambda histograms: share(histograms, window))
    if len(kinds) == 2:
        yield rounded(swept, kinds)


def share(histograms: Histograms, window: Window) -> float:
    """The share of all sub-networks that may lie in the window, as far as these histograms tell."""
    return float(ends(histograms, window)[1].sum() / ends(histograms, (ANY, ANY))[1].sum())


def drawer(histograms: Histograms, keys: Ints, cumulated: Floats) -> Attempts:
    """Draws rows of positions among those that reach one of some final keys."""

    def attempts(rng: random.Random, number: int) -> list[list[int]]:
        ends_of = keys[[pick(cumulated, rng) for _ in range(number)]]
        rows: list[list[int]] = backwards(histograms, ends_of, rng).tolist()
        return rows

    return attempts


def by_chance(space: Space) -> Attempts:
    """Draws by the `independent` distribution."""

    def attempts(rng: random.Random, number: int) -> list[list[int]]:
        rows: list[list[int]] = positions(space, [draw(space, rng) for _ in range(number)]).tolist()
        return rows

    return attempts


def fish(
    catch: Catch,
    space: Space,
    number: int,
    attempts: Attempts,
    rng: random.Random,
    window: Window,
) -> None:
    """Adds attempts whose true costs lie in the window until there are `number`, or TRIES is used up."""
    tries = 0
    while len(catch.found) < number and tries < TRIES * number:
        rows = attempts(rng, min(number - len(catch.found), 1024))
        tries += len(rows)
        for row, cost in zip(rows, true_costs(space, rows), strict=True):
            if inside(cost, window):
                catch.found.append((row, cost))
            else:
                catch.missed.append(cost)
    catch.tries += tries


def inside(cost: tuple[int, int], window: Window) -> bool:
    return all(low <= value <= high for value, (low, high) in zip(cost, window, strict=True))


def true_costs(space: Space, rows: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The (MACs, parameters) of rows of positions."""
    assert space.costs is not None
    macs, params = space.costs(
        np.array(rows, dtype=np.int64).reshape(len(rows), len(space.choices))
    )
    return list(zip(macs.tolist(), params.tolist(), strict=True))


def nearest(
    swept: Sweep, window: Window, missed: Sequence[tuple[int, int]], certain: bool
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """What to say of a window that nothing was found in, and the costs next to it, one kind at a time."""
    words, found = [], []
    for kind, name in enumerate(swept.space.kinds):
        low, high = window[kind]
        costs = [*missed, *beside(swept, kind, low, high)]
        if (low, high) == ANY or any(low <= cost[kind] <= high for cost in costs):
            continue
        below = max(
            (cost for cost in costs if cost[kind] < low), key=lambda c: c[kind], default=None
        )
        above = min(
            (cost for cost in costs if cost[kind] > high), key=lambda c: c[kind], default=None
        )
        ends_of = [cost for cost in (below, above) if cost is not None]
        found += ends_of
        words.append(
            f"the nearest {name} are {' and '.join(f'{cost[kind]:,}' for cost in ends_of)}"
        )
    reason = "; ".join(words) or "each limit alone can be met, but not both together"
    start = (
        "no sub-network lies in the window" if certain else "no sub-network was found in the window"
    )
    return f"{start}: {reason}", tuple(found)


def beside(swept: Sweep, kind: int, low: float, high: float) -> list[tuple[int, int]]:
    """True costs of sub-networks on both sides of some limits and within them, as near as histograms tell."""
    everything: Window = ((-1.0, np.inf), ANY) if kind == 0 else (ANY, (-1.0, np.inf))
    try:
        histograms = exact(swept, everything)
    except TooEntangled:
        histograms = rounded(swept, [kind])
    keys, _ = ends(histograms, (ANY, ANY))
    cost = histograms.scale.costs(keys, kind)
    chosen = [
        *keys[cost < low][-8:],
        *keys[cost > high][:8],
        *keys[(cost >= low) & (cost <= high)][:1],
    ]
    rng = random.Random(0)
    rows = backwards(histograms, np.array(chosen, dtype=np.int64), rng)
    return true_costs(swept.space, rows.tolist())
