"""The text of `space.py`: runs, agrees with the compiler, is laid out as ruff would, and holds no text as code."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from specc.cost import cost_source
from specc.ir.choice import Choice
from specc.ir.expr import Var, apply
from specc.ir.graph import Graph
from specc.pipeline import load
from specc.subnets.space import canonical, costs_module, enumerate_space, size, space_module
from tests.helpers.folders import SPECS
from tests.helpers.graphs import HERE, Builder, assignments, facts, graphs
from tests.helpers.projects import elastic_names
from tests.helpers.space_modules import HOSTILE, as_json, assert_formatted, space_of_graph

SLOWLY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
ELASTIC = [SPECS / f"{name}.specc" for name in elastic_names()]


@SLOWLY
@given(graphs())
def test_the_module_agrees_with_the_compiler(graph: Graph) -> None:
    space = space_of_graph(graph)
    assert size(graph) == space.SIZE == len(list(space.every()))
    for full in list(assignments(graph))[::3]:
        at, fact = as_json(graph, canonical(graph, full)), facts(graph, full)
        assert space.canonical(as_json(graph, full)) == at
        space.check(at)
        assert space.cost(at) == (space.macs(at), space.params(at)) == (fact.macs, fact.params)
    assert space.largest() == as_json(graph, canonical(graph, {c.name: c.largest for c in graph.choices}))
    assert space.smallest() == as_json(graph, canonical(graph, {c.name: c.smallest for c in graph.choices}))
    everything = [as_json(graph, at) for at in enumerate_space(graph)]
    rng = random.Random(0)
    assert all(space.draw(rng) in everything for _ in range(20))


@SLOWLY
@given(graphs())
def test_the_module_is_laid_out_as_ruff_would(graph: Graph) -> None:
    assert_formatted(space_module(graph))
    assert_formatted(costs_module(graph))
    assert_formatted(cost_source(graph))


@pytest.mark.parametrize("path", ELASTIC, ids=lambda path: path.stem)
def test_the_modules_of_the_specs_are_laid_out_as_ruff_would(path: Path) -> None:
    text = space_module(load(path).graph)
    assert text == space_module(load(path).graph)
    for one in (text, costs_module(load(path).graph)):
        assert_formatted(one)
        assert all(len(line) <= 100 for line in one.splitlines())


def test_batches_of_any_integer_type_and_order() -> None:
    graph = load(SPECS / "mobilenet_v2_tips.specc").graph
    space = space_of_graph(graph)
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(len(options), size=20_000) for options in space.CHOICES.values()], axis=1)
    macs, params = space.batched(rows)
    for other in (rows.astype(np.uint8), np.asfortranarray(rows), rows.astype(np.int32)):
        before = other.copy()
        assert all((a == b).all() for a, b in zip(space.batched(other), (macs, params), strict=True))
        assert (other == before).all()
    for at in range(0, 20_000, 997):
        options = zip(space.CHOICES.items(), rows[at].tolist(), strict=True)
        assert space.cost({name: values[p] for (name, values), p in options}) == (macs[at], params[at])


def test_functions_of_several_choices_in_small_integers() -> None:
    """A table of 20 x 20 options, looked up by positions of one byte."""
    b = Builder()
    widths = [b.choice("width", *range(7, 407, 20)) for _ in range(2)]
    b.conv(apply("round", apply("div", apply("mul", *widths), 1000)))
    graph = b.graph()
    rows = np.array([[first, second] for first in range(20) for second in range(20)])
    expected = [(fact.macs, fact.params) for fact in (facts(graph, full) for full in assignments(graph))]
    space = space_of_graph(graph)
    assert_formatted(costs_module(graph))
    for kind in (np.int64, np.uint8):
        assert list(zip(*(column.tolist() for column in space.batched(rows.astype(kind))), strict=True)) == expected


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_code(text: str) -> None:
    b = Builder()
    b.conv(8)
    for kind, options in (("skip", (0, 1)), ("operator", (text, "b")), ("width", (4, 7, 8, 16))):
        b.choices.append(Choice(f"{text}{kind}", options, kind, HERE))  # type: ignore[arg-type]
    skip, word, width = (b.choices[at].name for at in range(3))
    with b.region(Var(skip)):
        b.conv(Var(width))
        with b.region(apply("eq", Var(word), text)):
            b.conv(Var(width))
        b.conv(8)
    graph = b.graph().with_(name=text)
    space = space_of_graph(graph)
    assert list(space.CHOICES) == [choice.name for choice in graph.choices]
    assert space.SIZE == size(graph) == 1 + 2 * 4
    assert_formatted(space_module(graph))
    assert_formatted(costs_module(graph))


def test_long_conditions_and_many_functions_stay_on_short_lines() -> None:
    """A kernel read in twenty skippables, and an odd width read through a dozen functions."""
    b = Builder()
    b.conv(8)
    kernel, width = b.choice("kernel", 3, 5, 7), b.choice("width", 3, 4, 9, 16)
    for n in range(10):
        with b.region(b.choice("skip", 0, 1)):
            b.conv(apply("round", apply("div", width, n + 2)) if n else width, kernel)
            b.conv(8)
    for text in (space_module(b.graph()), costs_module(b.graph())):
        assert max(map(len, text.splitlines())) <= 100
        assert_formatted(text)
    space = space_of_graph(b.graph())
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(len(options), size=200) for options in space.CHOICES.values()], axis=1)
    macs, params = space.batched(rows)
    for row, *costs in zip(rows.tolist(), macs.tolist(), params.tolist(), strict=True):
        full = {choice.name: choice.options[at] for choice, at in zip(b.graph().choices, row, strict=True)}
        fact = facts(b.graph(), full)
        assert tuple(costs) == space.cost(as_json(b.graph(), fact.at)) == (fact.macs, fact.params)


def test_huge_costs_stay_exact() -> None:
    """Beyond 2**53 the batch computes in 64-bit integers, beyond 2**63 in Python's own."""
    for exponent in (15, 22, 30):
        b = Builder()
        b.conv(b.choice("width", 2**exponent - 1, 2**exponent + 1))
        b.conv(b.choice("width", 2**exponent - 3, 2**exponent + 5))
        graph = b.graph()
        space = space_of_graph(graph)
        rows = np.array([[0, 0], [1, 1]])
        expected = [facts(graph, full) for full in list(assignments(graph))[::3]]
        if exponent < 30:
            assert [column.tolist() for column in space.batched(rows)] == [
                [fact.macs for fact in expected],
                [fact.params for fact in expected],
            ]
        for full, fact in zip(list(assignments(graph))[::3], expected, strict=True):
            assert space.cost(full) == (fact.macs, fact.params)
