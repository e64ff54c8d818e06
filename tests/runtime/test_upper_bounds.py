"""Upper bounds on the number of ways against brute force: never below it, and close above it."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from specc.ir.graph import Graph
from specc.pipeline import load
from specc.space import upper_bounds
from specc.space.aim import Effort, aim, start
from specc.space.choices import Space
from specc.space.elimination import Elimination, eliminate
from specc.space.line import Goal, Line, goal, line
from specc.space.single import one_draw
from specc.space.upper_bounds import Floats, listed
from specc.space.window import draw_in_window
from specc.subnets.space import space_of
from tests.helpers.folders import SPECS
from tests.helpers.graphs import graphs

SLOWLY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def ways_to(elimination: Elimination, along: Line, weights: list[Floats] | None) -> list[dict[tuple[int, int], float]]:
    """For every step, the ways (or their weights) to each row before it, by what they cost."""
    tables = [{(0, 0): 1.0}]
    for place, step in enumerate(elimination.steps):
        after: dict[tuple[int, int], float] = defaultdict(float)
        for pair, (source, target) in enumerate(zip(step.source.tolist(), step.target.tolist(), strict=True)):
            weight = 1.0 if weights is None else float(weights[place][pair])
            for (row, cost), ways in tables[-1].items():
                if row == source:
                    after[target, cost + int(along.added[place][pair])] += weight * ways
        tables.append(after)
    return tables


@SLOWLY
@given(graphs(3), st.floats(0, 1), st.floats(0, 1), st.integers(1, 20), st.integers(50, 2000), st.booleans())
def test_bounds_are_never_too_small(graph: Graph, a: float, b: float, most: int, cells: int, tilted: bool) -> None:
    elimination = eliminate(space_of(graph), with_costs=True)
    along = line(elimination, 0)
    top = int(along.most[0][0])
    first, last = sorted((int(a * top), int(b * top)))
    to = Goal(along, last - first, last, last)
    weights = None
    if tilted:
        weights = [
            np.exp(step.option - 2.0 * along.added[at] / max(1, top)) for at, step in enumerate(elimination.steps)
        ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upper_bounds, "FEWEST", 4)
        prefixes = listed(elimination, [to], weights, most)
        if prefixes.taken == len(elimination.steps) or not len(prefixes.rows):
            return
        tables = upper_bounds.upper_bounds(elimination, to, prefixes, weights, cells)
        found = upper_bounds.ranges(elimination, to, prefixes)
    ways = ways_to(elimination, along, weights)
    for place, (table, range_) in enumerate(zip(tables, found, strict=True), prefixes.taken):
        for row, (low, high) in enumerate(zip(range_.lows.tolist(), range_.highs.tolist(), strict=True)):
            for left in range(low, high + 1, max(1, (high - low) // 60)):
                true = sum(n for (r, cost), n in ways[place].items() if r == row and left - to.width <= cost <= left)
                point, share = divmod((left - table.lows[row]) / table.unit, 1)
                values = table.values[row, int(point)], table.values[row, int(point) + 1]
                assert (1 - share) * values[0] + share * values[1] >= true * (1 - 1e-9)
        for (row, cost), n in ways[place].items():
            # Nothing that can still end in the window is out of range.
            if n and to.keeps(place, np.array([row]), np.array([cost]))[0]:
                assert range_.lows[row] <= range_.highs[row]


@pytest.mark.parametrize("name", ["mobilenet_v2_pss", "digits_pss", "digits_ofa"])
def test_bounds_are_close_where_the_ways_are_many(name: str) -> None:
    """Of the listed ways only a thousand: windows of a tenth of the range, at most a tenth too much."""
    elimination = eliminate(space_of(load(SPECS / f"{name}.specc").graph), with_costs=True)
    along = line(elimination, 0)
    top = int(along.most[0][0])
    for begin in range(1, 9):
        to = goal(along, (along.base + along.unit * top * begin / 10, along.base + along.unit * top * (begin + 1) / 10))
        assert to is not None
        true = start(aim(elimination, [to], Effort(10**6, 1)), to).bound
        bound = start(aim(elimination, [to], Effort(1000, 10**6)), to).bound
        assert true <= bound * (1 + 1e-9)
        assert bound <= 1.1 * true


def test_counts_far_beyond_what_floats_hold_are_scaled() -> None:
    """1,200 choices of two options each, one unit of cost apart: 2^1200 ways, and a window in the middle holds a share
    that the binomial distribution knows."""
    choices = {f"c{at}": (0, 1) for at in range(1200)}
    space = Space(choices, {}, (), lambda rows: (rows.sum(axis=1), rows.sum(axis=1)))
    drawn = draw_in_window(space, 300, random.Random(0), (600, 640))
    assert drawn.tries == 300
    shares = np.array([stats.binom.pmf(k, 1200, 0.5) for k in range(600, 641)])
    shares /= shares.sum()
    counts = np.bincount(np.array(drawn.macs) - 600, minlength=41)
    folded = [counts[:10].sum(), counts[10:20].sum(), counts[20:].sum()]
    expected = [300 * part.sum() for part in (shares[:10], shares[10:20], shares[20:])]
    assert stats.chisquare(folded, expected).pvalue > 1e-3
    to = goal(line(eliminate(space, True), 0), (600, 640))
    assert to is not None
    taken = aim(eliminate(space, True), [to], Effort(1000, 10**7))
    rng = random.Random(1)
    for _ in range(20):
        one = one_draw(taken, start(taken, to), rng)
        assert one is not None
        assert 600 <= sum(one) <= 640
