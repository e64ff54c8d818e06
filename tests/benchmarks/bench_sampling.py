"""Draws within budgets: what it takes to prepare them, to make them, and how many tries there are to a draw.

All of it computes on one thread and touches no file, so the time is the processor's: what else runs does not count.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from specc import pipeline
from specc.space.budgets import budgets_of
from specc.space.choices import Space
from specc.space.elimination import cost_ranges
from specc.space.line import ANY, Interval
from specc.space.window import draw_in_window
from specc.subnets.space import space_of
from tests.benchmarks.rows import Row, processor_seconds
from tests.helpers.folders import SPECS

MANY = 1000
"""Draws at once."""
LARGE = ("mobilenet_v2_tips", "mobilenet_v3_ofa")
PARTS = {
    "the least 1 %": (0.0, 0.01),
    "1 % about 5 %": (0.045, 0.055),
    "1 % in the middle": (0.495, 0.505),
    "1 % about 95 %": (0.945, 0.955),
    "the most 1 %": (0.99, 1.0),
}
"""Windows as shares of the range of MACs."""
TRAINED = {"mobilenet_v2_pss": 50.0, "mobilenet_v1_pss": None}
"""Whose sub-networks are drawn one at a time, and in how many microseconds they should be."""


def run() -> Iterator[Row]:
    pss = space_named("mobilenet_v2_pss")
    yield from rows("mobilenet_v2_pss, 180..190 M MACs", pss, (180e6, 190e6))
    yield from rows("mobilenet_v2_pss, that and 3..3.1 M parameters", pss, (180e6, 190e6), (3e6, 3.1e6))
    for name in ("mobilenet_v2_pss", *LARGE):
        space = space_named(name)
        low, high = cost_ranges(space)[0]
        for part, (begin, end) in PARTS.items():
            limits = (low + begin * (high - low), low + end * (high - low))
            yield from rows(f"{name}, {part} of MACs", space, limits)
    for name in LARGE:
        yield from rows(f"{name}, 5 % of MACs and of parameters", *joint(name), bars=False)
    for name, bar in TRAINED.items():
        yield from training_rows(name, bar)


def space_named(name: str) -> Space:
    return space_of(pipeline.load(SPECS / f"{name}.specc").graph)


def joint(name: str) -> tuple[Space, Interval, Interval]:
    """Windows of both kinds about a sub-network drawn at random."""
    space = space_named(name)
    about = draw_in_window(space, 1, random.Random(0), ANY)
    found = []
    for cost, (low, high) in zip((about.macs[0], about.params[0]), cost_ranges(space), strict=True):
        found.append((cost - 0.025 * (high - low), cost + 0.025 * (high - low)))
    return space, found[0], found[1]


def rows(what: str, space: Space, *limits: Interval, bars: bool = True) -> Iterator[Row]:
    """The first draw, with all that goes before it; further ones, many at once; and tries, which no clock tells."""
    first = median(
        processor_seconds(lambda: draw_in_window(replace(space), 1, random.Random(0), *limits)) for _ in range(5)
    )
    draw_in_window(space, MANY, random.Random(0), *limits)
    more = median(
        processor_seconds(lambda seed=seed: draw_in_window(space, MANY, random.Random(seed), *limits))  # type: ignore[misc]
        for seed in range(5)
    )
    tries = draw_in_window(space, 10 * MANY, random.Random(0), *limits).tries / (10 * MANY)
    yield Row(f"{what}: first draw", 1e3 * first, None, "ms")
    yield Row(f"{what}: a draw of {MANY:,}", 1e6 * more / MANY, 50 if bars else None, "us")
    yield Row(f"{what}: tries", tries, 1.4 if bars else None, "")


def training_rows(name: str, bar: float | None) -> Iterator[Row]:
    """What PSS' training does: prepares all constraints 10 M MACs apart, and draws one at a time."""
    space = space_named(name)
    settings = [{"name": "macs", "step": 10_000_000}]
    found = budgets_of(space, settings, 50, Path())
    first = median(processor_seconds(lambda: budgets_of(replace(space), settings, 50, Path())) for _ in range(3))
    rng = random.Random(0)
    numbers = [rng.randrange(len(found.constraints)) for _ in range(MANY)]

    def draws() -> None:
        for number in numbers:
            found.draw(number, rng)

    took = median(processor_seconds(draws) for _ in range(3)) / MANY
    tries = max(kept.tries for kept in found.kept)
    yield Row(f"{name}, {len(numbers):,} draws of training: all constraints", 1e3 * first, None, "ms")
    yield Row(f"{name}, {len(numbers):,} draws of training: one at a time", 1e6 * took, bar, "us")
    yield Row(f"{name}, {len(numbers):,} draws of training: most tries", tries, 1.4, "")
