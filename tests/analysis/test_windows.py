"""Windows of real specs against brute force: who is in them, how evenly they are drawn from, in how many tries."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from scipy import stats

from specc.pipeline import load
from specc.space import upper_bounds, window
from specc.space.aim import Effort
from specc.space.choices import Space, assignment_at, assignments_at, every, positions
from specc.space.elimination import Ints, cost_ranges, eliminate
from specc.space.latency_table import Block, LatencyTable
from specc.space.line import ANY, Interval
from specc.space.marginals import chooser
from specc.space.tilting import impossible
from specc.space.window import EmptyWindow, draw_in_window, timed_space
from specc.subnets.space import space_of
from tests.helpers.folders import SPECS

SKIPS_AND_DEPTHS, RESOLUTION, WIDTHS = "digits_ofa", "mobilenet_v2_pss", "digits_pss"


@cache
def space_named(name: str) -> Space:
    return space_of(load(SPECS / f"{name}.specc").graph)


@cache
def everything(name: str) -> tuple[Ints, Ints]:
    """Option positions and (MACs, parameters) of all sub-networks."""
    space = space_named(name)
    rows = positions(space, list(every(space)))
    assert space.costs is not None
    return rows, np.stack(space.costs(rows), axis=1)


def inside(costs: Ints, limits: tuple[Interval, ...]) -> Ints:
    """The indices of those within all limits."""
    fits = [(c >= low) & (c <= high) for c, (low, high) in zip(costs.T, limits, strict=False)]
    return np.flatnonzero(np.all(fits, axis=0))


def evenness(drawn: Ints, members: Ints) -> float:
    """The p-value of chi-square that rows drawn are uniform over `members`; all of them must be among these."""
    counts = Counter(map(tuple, drawn.tolist()))
    names = [tuple(row) for row in members.tolist()]
    assert set(counts) <= set(names)
    return float(stats.chisquare([counts[name] for name in names]).pvalue)


def share(values: Ints, low: float, high: float) -> Interval:
    """Limits that hold the costs between two quantiles."""
    return float(np.quantile(values, low)), float(np.quantile(values, high))


CASES: dict[str, tuple[str, Callable[[Ints], tuple[Interval, ...]]]] = {
    "inactive choices, MACs": (SKIPS_AND_DEPTHS, lambda c: (share(c[:, 0], 0.5, 0.503),)),
    "inactive choices, both": (SKIPS_AND_DEPTHS, lambda c: (share(c[:, 0], 0.3, 0.4), share(c[:, 1], 0.3, 0.31))),
    "resolution, 10 M MACs": (RESOLUTION, lambda c: ((140e6, 142e6),)),
    "resolution, the least": (RESOLUTION, lambda c: (share(c[:, 0], 0.0, 0.01),)),
    "resolution, the most": (RESOLUTION, lambda c: (share(c[:, 0], 0.99, 1.0),)),
    "resolution, both": (RESOLUTION, lambda c: (share(c[:, 0], 0.5, 0.6), share(c[:, 1], 0.5, 0.6))),
    "resolution and widths, parameters": (WIDTHS, lambda c: (ANY, share(c[:, 1], 0.2, 0.6))),
}


@pytest.mark.parametrize("effort", [None, Effort(30, 3_000)], ids=["listed", "hardly listed"])
@pytest.mark.parametrize("case", CASES)
def test_draws_are_uniform_in_windows_of_specs(
    case: str, effort: Effort | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, limits_of = CASES[case]
    rows, costs = everything(name)
    limits = limits_of(costs)
    members = rows[inside(costs, limits)]
    assert 50 < len(members) < 2500
    if effort is not None:
        monkeypatch.setattr(window, "EFFORTS", (effort,))
        monkeypatch.setattr(window, "listing", lambda space: None)
        monkeypatch.setattr(upper_bounds, "FEWEST", 8)
    drawn = draw_in_window(space_named(name), 12 * len(members), random.Random(7), *limits)
    if effort is not None:
        assert drawn.tries > len(drawn.assignments)
    assert evenness(positions(space_named(name), drawn.assignments), members) > 1e-4


@pytest.mark.parametrize("case", ["resolution, 10 M MACs", "resolution, the least", "resolution, the most"])
def test_the_papers_sampler_fails_the_same_test(case: str) -> None:
    """Eq. 4: every choice by its share among those inside, until all costs fit."""
    name, limits_of = CASES[case]
    rows, costs = everything(name)
    limits = limits_of(costs)
    members = rows[inside(costs, limits)]
    space = space_named(name)
    assert space.costs is not None
    attempts = chooser([np.bincount(column).tolist() for column in members.T])
    rng, found = random.Random(7), rows[:0]
    while len(found) < 12 * len(members):
        tried = attempts(rng, 5000)
        found = np.concatenate([found, tried[inside(np.stack(space.costs(tried), axis=1), limits)]])
    assert evenness(found[: 12 * len(members)], members) < 1e-30


@pytest.mark.parametrize("effort", [None, Effort(30, 3_000)], ids=["listed", "hardly listed"])
def test_draws_are_uniform_in_three_windows(effort: Effort | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency by a made table, MACs and parameters at once."""
    space = space_named(RESOLUTION)
    rng = random.Random(0)
    blocks = tuple(
        Block(name, (name,), tuple(sorted(rng.randrange(100_000, 400_000) for _ in options)))
        for name, options in space.choices.items()
    )
    choices = {name: tuple(options) for name, options in space.choices.items()}
    table = replace(EMPTY, choices=choices, blocks=blocks)
    timed = timed_space(space, table)
    rows, _ = everything(RESOLUTION)
    assert timed.costs is not None
    costs = np.stack(timed.costs(rows), axis=1)
    limits = (share(costs[:, 0], 0.3, 0.7), share(costs[:, 1], 0.2, 0.6), share(costs[:, 2], 0.5, 0.6))
    members = rows[inside(costs, limits)]
    assert 50 < len(members) < 2500
    if effort is not None:
        monkeypatch.setattr(window, "EFFORTS", (effort,))
        monkeypatch.setattr(window, "listing", lambda space: None)
        monkeypatch.setattr(upper_bounds, "FEWEST", 8)
    drawn = draw_in_window(timed, 12 * len(members), random.Random(1), *limits)
    assert evenness(positions(space, drawn.assignments), members) > 1e-4


EMPTY = LatencyTable("", "cpu", "", 1, 1, "", {}, {}, ())


def test_windows_with_one_sub_network_hold_it() -> None:
    rows, costs = everything(RESOLUTION)
    values, first, count = np.unique(costs[:, 0], return_index=True, return_counts=True)
    space = space_named(RESOLUTION)
    for at in first[count == 1][::1000]:
        cost = float(costs[at, 0])
        drawn = draw_in_window(space, 3, random.Random(0), (cost, cost))
        assert (drawn.tries, drawn.exact) == (3, True)
        assert list(drawn.assignments) == [assignment_at(space, rows[at].tolist())] * 3
    assert len(values) > 10_000


@pytest.mark.parametrize("kind", [0, 1], ids=["MACs", "parameters"])
@pytest.mark.parametrize(
    "name", ["mobilenet_v2_pss", "mobilenet_v2_tips", "mobilenet_v2_cifar100_tips", "mobilenet_v3_ofa", "resnet34_tips"]
)
def test_hardly_a_try_is_in_vain_anywhere_in_the_range(name: str, kind: int) -> None:
    """Windows of 1 % of the range, up to 4e30 sub-networks: at most 1.4 tries a draw."""
    space = space_named(name)
    low, high = cost_ranges(space)[kind]
    for begin in (0.0, 0.02, 0.1, 0.3, 0.495, 0.8, 0.95, 0.99):
        limits = (low + begin * (high - low), low + (begin + 0.01) * (high - low))
        drawn = draw_in_window(space, 400, random.Random(1), *[ANY] * kind, limits)
        assert len(drawn.assignments) == 400
        assert drawn.tries <= 1.4 * 400
        assert all(limits[0] <= cost <= limits[1] for cost in drawn.costs[kind])


def test_no_limits_are_a_window_that_holds_everything() -> None:
    drawn = draw_in_window(space_named("mobilenet_v2_tips"), 300, random.Random(1))
    assert drawn.tries <= 310
    space = space_named("digits")
    rows = everything("digits")[0]
    assert evenness(positions(space, draw_in_window(space, 2000, random.Random(1)).assignments), rows) > 1e-4


def test_ten_million_windows_of_mobilenet_v2_take_one_try() -> None:
    space = space_named("mobilenet_v2_pss")
    for low in range(70_000_000, 300_000_000, 10_000_000):
        assert draw_in_window(space, 100, random.Random(1), (low, low + 1e7)).tries == 100


def test_empty_windows_name_the_nearest_of_all_costs() -> None:
    """In a space of 9e28 sub-networks; the oracle holds every cost below a limit that can be reached, as bits."""
    space = space_named("mobilenet_v2_tips")
    low, high = cost_ranges(space)[0]
    reached = reachable(space, low + (high - low) // 50)
    gaps = [(a, b) for a, b in pairwise(reached) if b - a > 784]
    assert len(gaps) > 20
    for below, above in gaps[:: len(gaps) // 10]:
        with pytest.raises(EmptyWindow) as caught:
            draw_in_window(space, 1, random.Random(0), (below + 1, above - 1))
        assert f"no sub-network is within the budget: the nearest MACs are {below:,} and {above:,}" in str(caught.value)
        assert [cost[0] for cost in caught.value.nearest] == [below, above]


def reachable(space: Space, most: int) -> list[int]:
    """All MACs up to `most` that some sub-network has: sets of sums as the bits of whole numbers, row by row."""
    elimination = eliminate(space, with_costs=True)
    lows = [int(step.added[:, 0].min()) for step in elimination.steps]
    base = elimination.base[0] + sum(lows)
    mask = (1 << ((most - base) // 392 + 1)) - 1
    sets = [1]
    for step, least in zip(elimination.steps, lows, strict=True):
        after = [0] * step.rows
        for source, target, added in zip(
            step.source.tolist(), step.target.tolist(), step.added[:, 0].tolist(), strict=True
        ):
            assert (added - least) % 392 == 0
            after[target] |= (sets[source] << ((added - least) // 392)) & mask
        sets = after
    return [base + 392 * at for at, bit in enumerate(bin(sets[0])[:1:-1]) if bit == "1"]


def test_windows_that_exclude_one_another_are_told_from_those_that_do_not() -> None:
    """By brute force: the nearest costs of one kind among those that keep the other's limits."""
    costs = everything(RESOLUTION)[1]
    space = space_named(RESOLUTION)
    macs, params = (75e6, 80e6), (3.4e6, inf)
    assert not len(inside(costs, (macs, params)))
    with pytest.raises(EmptyWindow) as caught:
        draw_in_window(space, 1, random.Random(0), macs, params)
    least = costs[costs[:, 1] >= params[0], 0].min()
    most = costs[(costs[:, 0] >= macs[0]) & (costs[:, 0] <= macs[1]), 1].max()
    assert str(caught.value) == (
        "no sub-network is within the budget: each constraint alone can be satisfied, but not both together; "
        "with the other satisfied, "
        f"the nearest MACs are {least:,}; the nearest parameters are {most:,}"
    )
    elimination = eliminate(space, with_costs=True)
    assert impossible(elimination, (macs, params))
    rng = np.random.default_rng(0)
    for _ in range(40):
        ends = np.sort(costs[rng.integers(len(costs), size=2)] + rng.integers(-(10**5), 10**5, (2, 2)), axis=0)
        limits = ((float(ends[0, 0]), float(ends[1, 0])), (float(ends[0, 1]), float(ends[1, 1])))
        if len(inside(costs, limits)):
            assert not impossible(elimination, limits)


def test_what_is_impossible_in_a_large_space_is_proved() -> None:
    space = space_named("mobilenet_v2_tips")
    with pytest.raises(
        EmptyWindow, match="no sub-network is within the budget: each constraint alone can be satisfied"
    ):
        draw_in_window(space, 1, random.Random(0), (60e6, 60.5e6), (2.5e6, inf))


def test_many_assignments_are_as_one_by_one() -> None:
    rows, _ = everything(SKIPS_AND_DEPTHS)
    space = space_named(SKIPS_AND_DEPTHS)
    some = rows[::1009]
    assert assignments_at(space, some) == [assignment_at(space, row) for row in some.tolist()]
    assert assignments_at(Space({}), np.zeros((2, 0), np.int64)) == [{}, {}]
