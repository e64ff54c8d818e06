"""Uniform draws within a window of predicted latency, and of MACs and parameters beside it.

Two kinds of cost can be told apart exactly at once: latency and one other. A third is left to trying.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING

from specc.portable.choices import Option, Space, positions
from specc.portable.histogram import ANY, Limits
from specc.portable.latency_table import NANOSECONDS, LatencyTable, latency_space, predicted
from specc.portable.window import TRIES, Draws, EmptyWindow, draw_in_window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TimedDraws:
    """Draws and their predicted latencies in seconds. Where `draws.tries` is more than there are draws, the rest was
    tried in vain."""

    draws: Draws
    latencies: tuple[float, ...]


def draw_timed(
    space: Space,
    table: LatencyTable,
    number: int,
    rng: random.Random,
    latency: Limits,
    macs: Limits = ANY,
    params: Limits = ANY,
) -> TimedDraws:
    """`number` draws, uniform over the sub-networks within all limits, both ends included; latencies are in seconds.

    Raises EmptyWindow where none was found.
    """
    second = 1 if macs == ANY and params != ANY else 0
    joint = timed_space(space, table, second)
    window = (in_nanoseconds(latency), params if second else macs)
    third = ANY if second or macs == ANY else params
    found: list[dict[str, Option]] = []
    tries, exact, uniform = 0, True, True
    while len(found) < number and tries < TRIES * number:
        drawn = draw_in_window(joint, number - len(found), rng, *window)
        exact, uniform = exact and drawn.exact, uniform and drawn.uniform
        tries += drawn.tries
        costs = both_costs(space, drawn)
        found += [
            dict(at)
            for at, (_, used) in zip(drawn.assignments, costs, strict=True)
            if third[0] <= used <= third[1]
        ]
        if third == ANY:
            break
    if not found:
        raise EmptyWindow(
            f"none of {tries:,} sub-networks within the other limits has so many parameters", ()
        )
    return finished(space, table, found, exact and third == ANY, tries, uniform)


def finished(
    space: Space,
    table: LatencyTable,
    found: list[dict[str, Option]],
    exact: bool,
    tries: int,
    uniform: bool,
) -> TimedDraws:
    """Draws with all their costs."""
    assignments = tuple(found)
    assert space.costs is not None
    macs, params = space.costs(positions(space, assignments))
    draws = Draws(
        assignments,
        tuple(macs.tolist()),
        tuple(params.tolist()),
        exact,
        tries,
        uniform,
    )
    return TimedDraws(draws, tuple(predicted(space, table, assignments)))


def both_costs(space: Space, drawn: Draws) -> list[tuple[int, int]]:
    """MACs and parameters of what was drawn by other costs."""
    assert space.costs is not None
    macs, params = space.costs(positions(space, drawn.assignments))
    return list(zip(macs.tolist(), params.tolist(), strict=True))


def timed_space(space: Space, table: LatencyTable, second: int) -> Space:
    """The space with latencies in nanoseconds and, as its second cost, MACs (0) or parameters (1)."""
    timed, both = latency_space(space, table), space.costs
    times = timed.costs
    assert times is not None
    assert both is not None

    def costs(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return times(rows)[0], both(rows)[second]

    together = (*space.together, *timed.together)
    kinds = (timed.kinds[0], space.kinds[second])
    return Space(space.choices, space.active, together, costs, kinds)


def in_nanoseconds(limits: Limits) -> Limits:
    """Limits in seconds as whole nanoseconds within them."""
    low, high = limits
    return (
        float(ceil(low * NANOSECONDS)) if isfinite(low) else low,
        float(floor(high * NANOSECONDS)) if isfinite(high) else high,
    )
