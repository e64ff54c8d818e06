"""NSGA-II's selection against pymoo's."""

from __future__ import annotations

import random
from math import inf

import numpy as np
import pytest
from pymoo.indicators.hv import HV
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from specc.runtime.search.proposals import crowding, fronts, hypervolume, ranked, survivors, tournament

SIZES = [(1, 2), (2, 2), (30, 2), (60, 3), (40, 4)]


@pytest.mark.parametrize(("count", "objectives"), SIZES)
@pytest.mark.parametrize("grid", [4, 1000])
def test_fronts_are_pymoos(count: int, objectives: int, grid: int) -> None:
    """On a coarse grid many points are equal or tie in one objective."""
    rng = np.random.default_rng(count + grid)
    for _ in range(10):
        values = rng.integers(0, grid, (count, objectives))
        theirs = NonDominatedSorting().do(values.astype(float))
        ours = fronts([tuple(map(float, row)) for row in values])
        assert [sorted(front) for front in ours] == [sorted(map(int, front)) for front in theirs]


@pytest.mark.parametrize(("count", "objectives"), SIZES)
def test_crowding_distances_are_pymoos(count: int, objectives: int) -> None:
    """pymoo divides by the number of objectives, we do not; the order is the same."""
    rng = np.random.default_rng(count)
    values = rng.random((count, objectives))
    ours = np.array(crowding([tuple(row) for row in values.tolist()]))
    theirs = np.asarray(calc_crowding_distance(values))
    if count <= 2:
        assert (ours == inf).all()
        return
    np.testing.assert_array_equal(np.isinf(ours), np.isinf(theirs))
    inner = np.isfinite(ours)
    np.testing.assert_allclose(ours[inner] / objectives, theirs[inner], rtol=1e-9)


@pytest.mark.parametrize(("count", "objectives"), SIZES)
@pytest.mark.parametrize("grid", [5, 1000])
def test_hypervolumes_are_pymoos(count: int, objectives: int, grid: int) -> None:
    rng = np.random.default_rng(count + grid)
    reference = np.full(objectives, 0.8)
    for _ in range(3):
        values = rng.integers(0, grid, (min(count, 30), objectives)) / grid
        ours = hypervolume([tuple(row) for row in values.tolist()], tuple(reference.tolist()))
        assert ours == pytest.approx(float(HV(ref_point=reference)(values)), abs=1e-12)


def test_the_hypervolume_of_a_front_as_long_as_searches_find_them() -> None:
    """A thousand points of three objectives, none of them dominated: work by the cube of their number would not end."""
    rng = np.random.default_rng(0)
    values = np.abs(rng.normal(size=(1000, 3)))
    values = 1 - values / np.linalg.norm(values, axis=1, keepdims=True)
    ours = hypervolume([tuple(row) for row in values.tolist()], (1.0, 1.0, 1.0))
    assert ours == pytest.approx(float(HV(ref_point=np.ones(3))(values)), rel=1e-9)


def test_the_least_crowded_of_the_last_front_live_on() -> None:
    """Five on a line of slope -1 and one before them: of three places it takes one, the ends of the line the others."""
    line = [(1.0, 11.0), (2.0, 10.0), (3.0, 9.0), (7.0, 5.0), (11.0, 1.0)]
    values = [*line, (0.0, 0.0), (20.0, 20.0)]
    assert survivors(values, 1) == [5]
    assert survivors(values, 3) == [0, 4, 5]
    assert survivors(values, 4) == [0, 3, 4, 5]
    assert survivors(values, 6) == [0, 1, 2, 3, 4, 5]
    assert survivors(values, 9) == [0, 1, 2, 3, 4, 5, 6]
    assert survivors([], 3) == []


def test_all_that_nothing_dominates_live_on() -> None:
    """Whatever the size of the population; but what repeats a value only takes a place that is free."""
    line = [(float(i), float(9 - i)) for i in range(10)]
    assert survivors([*line, (20.0, 20.0)], 3) == [*range(10)]
    doubled = [line[4], line[4], *line, line[0]]
    assert survivors(doubled, 3) == [0, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert len(survivors(doubled, 11)) == 11


def test_the_fitter_of_two_wins() -> None:
    values = [(0.0, 10.0), (1.0, 9.0), (2.0, 8.0), (6.0, 4.0), (10.0, 0.0), (10.0, 10.0)]
    ranks = ranked(values)
    assert [rank for rank, _ in ranks] == [0, 0, 0, 0, 0, 1]
    rng = random.Random(0)
    wins = [tournament(ranks, rng) for _ in range(3000)]
    # the last one wins only where it meets itself
    assert 3000 / 36 * 0.5 < wins.count(5) < 3000 / 36 * 1.6
    assert wins.count(0) > wins.count(1)
