"""Uniform draws within a window of predicted latency, and of MACs and parameters beside it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING

from specc.space.choices import Space
from specc.space.latency_table import NANOSECONDS, LatencyTable, latency_space
from specc.space.line import ANY, Interval
from specc.space.window import Draws, draw_in_window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TimedDraws:
    """Draws and their predicted latencies in seconds."""

    draws: Draws
    latencies: tuple[float, ...]


def draw_timed(
    space: Space,
    table: LatencyTable,
    number: int,
    rng: random.Random,
    latency: Interval,
    macs: Interval = ANY,
    params: Interval = ANY,
) -> TimedDraws:
    """`number` draws, uniform over the sub-networks within all limits, both ends included; latencies are in seconds.

    Raises EmptyWindow where there are none, NothingFound where none was found.
    """
    timed = timed_space(space, table)
    drawn = draw_in_window(timed, number, rng, macs, params, in_nanoseconds(latency))
    return TimedDraws(drawn, tuple(time / NANOSECONDS for time in drawn.costs[-1]))


def timed_space(space: Space, table: LatencyTable) -> Space:
    """The space with latencies in nanoseconds as one more cost, the last."""
    timed, counted = latency_space(space, table), space.costs
    times = timed.costs
    assert times is not None
    assert counted is not None

    def costs(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        return (*counted(rows), times(rows)[0])

    together = (*space.together, *timed.together)
    kinds = (*space.kinds, timed.kinds[0])
    return Space(space.choices, space.active, together, costs, kinds)


def in_nanoseconds(interval: Interval) -> Interval:
    """Limits in seconds as whole nanoseconds within them.

    Seconds come rounded: what differs from a whole nanosecond by their last bits alone is meant to be it.
    """
    low, high = interval
    return (
        float(ceil(round(low * NANOSECONDS, 3))) if isfinite(low) else low,
        float(floor(round(high * NANOSECONDS, 3))) if isfinite(high) else high,
    )
