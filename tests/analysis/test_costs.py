"""Costs equal an evaluation op by op, however they are computed."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings

from specc.cost import compile_cost, cost, cost_source
from specc.ir.expr import apply
from specc.ir.graph import Graph
from specc.subnets.space import canonical
from tests.helpers.graphs import Builder, assignments, facts, graphs

SLOWLY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@SLOWLY
@given(graphs())
def test_costs_are_the_sum_over_present_ops(graph: Graph) -> None:
    compiled = compile_cost(graph)
    combinations = list(assignments(graph))
    expected = [facts(graph, full) for full in combinations]
    rows = [[choice.position(full[choice.name]) for choice in graph.choices] for full in combinations]
    macs, params = compiled.many(np.array(rows).reshape(len(rows), len(graph.choices)))
    assert macs.tolist() == [fact.macs for fact in expected]
    assert params.tolist() == [fact.params for fact in expected]
    for full, fact in zip(combinations, expected, strict=True):
        assert compiled.one(full) == compiled.one(fact.at) == (fact.macs, fact.params)


@SLOWLY
@given(graphs())
def test_the_report_names_what_is_present(graph: Graph) -> None:
    for full in list(assignments(graph))[::7]:
        fact = facts(graph, full)
        report = cost(graph, canonical(graph, full))
        assert tuple(op.name for op in report.ops) == fact.present
        assert (report.macs, report.params) == (fact.macs, fact.params)
        assert cost(graph, fact.at, "with_norms").macs == fact.macs + 2 * fact.normalised
        assert compile_cost(graph, "with_norms")(fact.at).macs == fact.macs + 2 * fact.normalised


@SLOWLY
@given(graphs())
def test_the_source_is_the_same_every_time(graph: Graph) -> None:
    assert cost_source(graph) == cost_source(graph)
    compile(cost_source(graph), "costs", "exec")


def assert_exact(graph: Graph) -> None:
    """Both ways to compute costs give what an evaluation op by op does, everywhere."""
    compiled = compile_cost(graph)
    combinations = list(assignments(graph))
    rows = [[choice.position(full[choice.name]) for choice in graph.choices] for full in combinations]
    expected = [(fact.macs, fact.params) for fact in (facts(graph, full) for full in combinations)]
    assert [compiled.one(full) for full in combinations] == expected
    assert list(zip(*(column.tolist() for column in compiled.many(np.array(rows))), strict=True)) == expected


def test_what_is_read_through_many_functions_adds_nothing_where_it_does_not_matter() -> None:
    """What surrounds a skippable with a width read through several functions costs the same without it."""
    b = Builder()
    b.conv(8)
    with b.region(b.choice("skip", 0, 1)):
        width = b.choice("width", 3, 5, 9, 16)
        for n in range(2, 6):
            b.conv(apply("round", apply("div", width, n)))
            b.conv(8)
    assert_exact(b.graph())


def test_operators_that_cost_the_same_cost_nothing_where_they_are_skipped() -> None:
    """Their sum is one constant, but only where one of them is present."""
    b = Builder()
    b.conv(8)
    with b.region(b.choice("skip", 0, 1)):
        operator = b.choice("operator", 0, 1, 2)
        for option in range(3):
            with b.region(apply("eq", operator, option)):
                b.conv(8)
    assert_exact(b.graph())
