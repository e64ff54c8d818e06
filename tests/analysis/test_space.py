"""Activity, size, enumeration and ranges equal brute force on random networks."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from specc.diagnostics import SpecError
from specc.ir.expr import Expr, Var, apply, evaluate
from specc.ir.graph import Graph, Segment, Tensor
from specc.space import choices as portable
from specc.subnets.conditions import conditions
from specc.subnets.space import (
    activity,
    canonical,
    complete,
    enumerate_space,
    range_of_costs,
    size,
    space_of,
)
from tests.helpers.counting import calls
from tests.helpers.graphs import HERE, Builder, assignments, facts, graphs
from tests.helpers.nested import key, nested

SLOWLY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@SLOWLY
@given(graphs())
def test_canonical_assignments_are_what_is_read(graph: Graph) -> None:
    conditions_of = activity(graph)
    for full in assignments(graph):
        at = canonical(graph, full)
        assert at == facts(graph, full).at
        assert list(at) == [choice.name for choice in graph.choices if choice.name in at]
        assert canonical(graph, at) == at
        assert set(at) == {name for name, condition in conditions_of.items() if evaluate(condition, full)}


@SLOWLY
@given(graphs())
def test_size_counts_distinct_canonical_assignments(graph: Graph) -> None:
    distinct = {key(canonical(graph, full)) for full in assignments(graph)}
    listed = [key(at) for at in enumerate_space(graph)]
    assert size(graph) == len(distinct) == len(listed)
    assert set(listed) == distinct


@SLOWLY
@given(graphs())
def test_ranges_are_attained(graph: Graph) -> None:
    found = [facts(graph, full) for full in assignments(graph)]
    ranges = range_of_costs(graph)
    assert ranges.exact
    assert ranges.macs == (min(f.macs for f in found), max(f.macs for f in found))
    assert ranges.params == (min(f.params for f in found), max(f.params for f in found))


@SLOWLY
@given(graphs())
def test_positions_lead_back(graph: Graph) -> None:
    space = space_of(graph)
    found = enumerate_space(graph)[:50]
    rows = portable.positions(space, found).tolist()
    assert [portable.assignment_at(space, row) for row in rows] == found


def test_nested_skips_count_what_they_leave() -> None:
    graph = nested().graph()
    assert activity(graph) == {
        "c0.skip": 1,
        "c1.width": Var("c0.skip"),
        "c2.skip": Var("c0.skip"),
        "c3.width": apply("and", Var("c0.skip"), Var("c2.skip")),
    }
    assert size(graph) == 1 + 2 * (1 + 3)
    assert canonical(graph, {"c0.skip": 0, "c2.skip": 1, "c3.width": 6}) == {"c0.skip": 0}
    assert complete(graph, {"c2.skip": 0}) == {"c0.skip": 1, "c1.width": 8, "c2.skip": 0}
    assert complete(graph, {"c0.skip": 1}, "min") == {"c0.skip": 1, "c1.width": 4, "c2.skip": 0}


def test_a_choice_of_many_readers_is_a_disjunction() -> None:
    b = Builder()
    b.conv(8)
    kernel = b.choice("kernel", 3, 5, 7)
    for _ in range(40):
        with b.region(b.choice("skip", 0, 1)):
            b.conv(8, kernel)
    graph = b.graph()
    assert len(conditions(graph).active["c0.kernel"]) == 40
    assert size(graph) == (2**40 - 1) * 3 + 1


def test_a_size_that_does_not_depend_on_a_choice_does_not_read_it() -> None:
    b = Builder()
    kernel = b.choice("kernel", 3, 5, 7)
    with b.region(b.choice("skip", 0, 1)):
        b.conv(3, kernel)
    padding = apply("floor", apply("div", apply("sub", kernel, 1), 2))
    same = apply("add", apply("sub", apply("add", 8, apply("mul", 2, padding)), kernel), 1)
    b.conv(3)
    b.tensors[-1] = Tensor(b.here, (Segment(3),), (same, same), HERE)
    assert size(b.graph()) == 4


def test_hundreds_of_choices_are_counted_at_once() -> None:
    b = Builder(Var("c0.resolution"))
    b.choice("resolution", *range(128, 225, 8))
    for _ in range(60):
        width = b.choice("width", 8, 16, 24)
        b.conv(width)
        for _ in range(2):
            with b.region(b.choice("skip", 0, 1)):
                b.conv(b.choice("width", 16, 32, 48, 64))
                b.conv(width)
    graph = b.graph()
    assert len(graph.choices) == 301
    conditions(graph)
    assert size(graph) == 13 * (3 * 25) ** 60
    assert calls(lambda: size(graph)) < 3_000_000  # keeps exponential work out


def test_listing_is_refused_where_there_is_too_much() -> None:
    with pytest.raises(SpecError, match="space-too-large"):
        enumerate_space(nested().graph(), limit=8)
    assert len(enumerate_space(nested().graph(), limit=9)) == 9


def test_what_reads_too_many_choices_at_once_is_refused() -> None:
    b = Builder()
    total: Expr = 0
    for _ in range(8):
        total = apply("add", total, b.choice("value", *range(8)))
    b.conv(8)
    with b.region(apply("gt", total, 7)):
        b.conv(8)
    with pytest.raises(SpecError, match="space-too-entangled"):
        size(b.graph())
    b = Builder()
    for _ in range(8):
        total = apply("add", total, b.choice("value", *range(8)))
    b.conv(apply("round", apply("div", total, 3)))
    with pytest.raises(SpecError, match="space-too-entangled"):
        range_of_costs(b.graph())


def test_wrong_assignments_are_named() -> None:
    space = conditions(nested().graph())
    portable.check(space, {"c0.skip": 0})
    for at, words in (
        ({"c9": 1}, "no choice 'c9'"),
        ({"c0.skip": 2}, "'c0.skip' cannot be 2; its options are 0, 1"),
        ({"c0.skip": 1, "c2.skip": 0}, "'c1.width' is missing; its options are 4, 8"),
    ):
        with pytest.raises(ValueError, match=words):
            portable.check(space, at)
