"""What a benchmark returns, and how two things are timed side by side."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure. `bar` is the most it may be, None where it is only told; `unit` is x for ratios."""

    name: str
    value: float
    bar: float | None
    unit: str

    @property
    def holds(self) -> bool:
        return self.bar is None or self.value <= self.bar


def seconds(action: Callable[[], object], repeats: int = 1) -> float:
    """Wall-clock time of one call, averaged over `repeats` calls without garbage collection in between."""
    gc.collect()
    gc.disable()
    try:
        begun = time.perf_counter()
        for _ in range(repeats):
            action()
        return (time.perf_counter() - begun) / repeats
    finally:
        gc.enable()


def processor_seconds(action: Callable[[], object]) -> float:
    """Time that this process spent on the processor for one call: what others do on the machine hardly counts."""
    gc.collect()
    gc.disable()
    try:
        begun = time.process_time()
        action()
        return time.process_time() - begun
    finally:
        gc.enable()


def side_by_side(
    first: Callable[[], object],
    second: Callable[[], object],
    rounds: int = 11,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> tuple[float, float, float]:
    """The medians of both in seconds and the median of the rounds' ratios first / second.

    Both run twice to warm up; then every round runs both, in swapped order every other time, so that what slows
    the machine for a while slows both. `clock` is `processor_seconds` for what one thread of this process does.
    """
    for action in (first, second, first, second):
        action()
    pairs = []
    for number in range(rounds):
        if number % 2:
            later = clock(second)
            pairs.append((clock(first), later))
        else:
            earlier = clock(first)
            pairs.append((earlier, clock(second)))
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)
