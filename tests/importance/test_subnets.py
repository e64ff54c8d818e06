"""Sampling: every operation is kept once, draws are uniform under that condition, probabilities are exact."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import numpy as np
import pytest

from specc.importance.chain import Joined, undirected
from specc.importance.cover import (
    Component,
    NotListed,
    Point,
    Uncovered,
    draw_covering,
    draw_exactly,
    draw_switch,
    inclusion,
    listed,
)
from specc.importance.report import joined_pairs
from specc.importance.subnets import draw_subnets, expected_subnets, pairs_of
from specc.ir.choice import Choice, Range
from specc.ir.expr import Expr, Var, apply, both, evaluate
from specc.passes.importance_view import View, ViewEdge
from tests.helpers.views import CHOICES, HERE

A, B, C, D = map(Var, "abcd")
SWITCH = Component(CHOICES[:1], (A, apply("not", A)), (A,))
DEPTH = Component(CHOICES[3:], (apply("ge", D, 1), apply("ge", D, 2)), (apply("ge", D, 1), apply("ge", D, 2)))
NESTED = Component(CHOICES[:3], (A, both(A, B), both(A, apply("not", B)), C), (A, both(A, B), both(A, apply("not", B))))
MODE = Choice("m", (1, 2, 3), "value", HERE)
EXCLUDING = Component((MODE,), *[tuple(apply("eq", Var("m"), k) for k in (1, 2, 3))] * 2)


def sequences(component: Component, draws: int) -> list[tuple[Point, ...]]:
    """All sequences of draws that keep every operation once, by trying them all."""
    points = list(product(*(tuple(choice.options) for choice in component.choices)))

    def holds(guard: Expr, point: Point) -> bool:
        return bool(evaluate(guard, component.values(point)))

    return [
        drawn
        for drawn in product(points, repeat=draws)
        if all(any(holds(target, point) for point in drawn) for target in component.targets)
    ]


@pytest.mark.parametrize(
    "component", [SWITCH, DEPTH, NESTED, EXCLUDING], ids=["switch", "depth", "nested", "excluding"]
)
@pytest.mark.parametrize("draws", [2, 3, 4])
def test_ways_and_probabilities_are_exact(component: Component, draws: int) -> None:
    fitting = sequences(component, draws)
    table = listed(component)
    assert table.ways(table.every, draws) == len(fitting)
    if not fitting:
        with pytest.raises(Uncovered):
            inclusion(component, draws)
        return
    for guard, probability in inclusion(component, draws).items():
        kept = sum(bool(evaluate(guard, component.values(drawn[0]))) for drawn in fitting)
        assert probability == pytest.approx(kept / len(fitting), rel=1e-15)


@pytest.mark.parametrize("component", [DEPTH, NESTED, EXCLUDING], ids=["depth", "nested", "excluding"])
def test_draws_are_uniform_among_those_that_fit(component: Component) -> None:
    fitting = sequences(component, 3)
    rng = random.Random(0)
    table = listed(component)
    exactly = [tuple(draw_exactly(table, 3, rng)) for _ in range(40 * len(fitting))]
    repeated = [tuple(draw_covering(component, 3, rng)) for _ in range(40 * len(fitting))]
    for counts in (Counter(exactly), Counter(repeated)):
        assert set(counts) <= set(fitting)
        chi_square = sum((counts[s] - 40) ** 2 / 40 for s in fitting)
        assert chi_square < len(fitting) + 5 * (2 * len(fitting)) ** 0.5


def test_a_switch_is_kept_once_and_uniform() -> None:
    rng = random.Random(1)
    counts = Counter(draw_switch(3, rng) for _ in range(7 * 200))
    assert len(counts) == 7
    assert bytes(3) not in counts
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 25
    assert draw_switch(1, rng) == b"\1"


def test_too_few_draws_say_how_many_it_takes() -> None:
    with pytest.raises(Uncovered) as few:
        draw_covering(EXCLUDING, 2, random.Random(0))
    assert few.value.least == 3
    assert len(set(draw_covering(EXCLUDING, 3, random.Random(0)))) == 3


def test_a_large_component_is_drawn_and_not_listed() -> None:
    choices = tuple(Choice(f"x{i}", (0, 1), "skip", HERE) for i in range(14))
    targets = tuple(both(Var("x0"), Var(f"x{i}")) for i in range(1, 14))
    large = Component(choices, targets, targets)
    with pytest.raises(NotListed):
        inclusion(large, 8)
    points = draw_covering(large, 16, random.Random(0))
    assert all(any(evaluate(t, large.values(p)) for p in points) for t in targets)
    with pytest.raises(Uncovered) as few:
        draw_covering(
            Component((Choice("w", Range(1, 5000), "value", HERE),), *[(apply("eq", Var("w"), 1),)] * 2), 1, Never()
        )
    assert few.value.least is None


class Never(random.Random):
    """Always the last option."""

    def choice(self, options):  # type: ignore[no-untyped-def]
        return options[-1]


def small_view() -> View:
    def edge(name: str, kind: str, source: int, target: int, guard: Expr) -> ViewEdge:
        return ViewEdge(name, kind, (name,), source, target, guard, guard != 1, kind == "add", kind == "select")

    edges = (
        edge("stem", "conv", 0, 1, 1),
        edge("left", "conv", 1, 2, A),
        edge("add", "add", 1, 2, 1),
        edge("deep", "conv", 2, 3, apply("ge", D, 1)),
        edge("around", "select", 2, 3, apply("eq", D, 0)),
    )
    return View(("t0", "t1", "t2", "t3"), edges, (0,), (3,))


def test_expected_degrees_are_the_mean_over_all_samples() -> None:
    view = small_view()
    pairs = pairs_of(view)
    holds = np.array(expected_subnets(view, pairs, CHOICES, 3))[:, None]
    found = undirected(joined_pairs(view, pairs, holds, 3), 1.0, 0.0).degrees
    total = np.zeros(4)
    count = 0
    for first in sequences(Component(CHOICES[:1], (A,), (A,)), 3):
        for second in sequences(Component(CHOICES[3:], (apply("ge", D, 1),), (apply("ge", D, 1),)), 3):
            at = [{"a": a, "d": d} for (a,), (d,) in zip(first, second, strict=True)]
            present = np.array([[float(bool(evaluate(guard, values))) for values in at] for guard in pairs.guards])
            degrees = undirected(joined_pairs(view, pairs, present, 3), 1.0, 0.0).degrees
            assert degrees is not None
            total += degrees
            count += 1
    assert found is not None
    np.testing.assert_allclose(found, total / count, rtol=1e-14)


def test_parallel_edges_count_once() -> None:
    view = small_view()
    pairs = pairs_of(view)
    assert len(pairs.sources) == 3
    drawn = draw_subnets(view, pairs, CHOICES, 4, seed=0)
    joined = joined_pairs(view, pairs, drawn.holds.astype(np.float64), 4)
    assert isinstance(joined, Joined)
    assert joined.present.tolist() == [[1.0] * 4] * 3


def test_every_operation_is_kept_once_and_seeds_decide() -> None:
    view = small_view()
    pairs = pairs_of(view)
    for seed in range(20):
        drawn = draw_subnets(view, pairs, CHOICES, 2, seed)
        again = draw_subnets(view, pairs, CHOICES, 2, seed)
        assert drawn.at == again.at
        assert all(set(at) == {"a", "d"} for at in drawn.at)
        for edge, guard in zip(view.edges, pairs.edge_guards, strict=True):
            assert drawn.holds[guard].tolist() == [bool(evaluate(edge.guard, at)) for at in drawn.at]
            assert edge.kind == "select" or drawn.holds[guard].any()
    assert len({str(draw_subnets(view, pairs, CHOICES, 4, seed).at) for seed in range(20)}) > 5
