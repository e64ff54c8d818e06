"""`layers` in space.py: every layer's costs as the compiler's report has them, and their sums as the fast program."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings

from specc.cost import cost
from specc.ir.choice import Assignment
from specc.ir.expr import Var, apply
from specc.ir.graph import Graph
from specc.pipeline import load
from specc.source import Source
from specc.space import choices
from specc.subnets.conditions import conditions
from specc.subnets.space import canonical, space_module
from tests.helpers.folders import SPECS
from tests.helpers.graphs import Builder, assignments, graphs
from tests.helpers.projects import elastic_names
from tests.helpers.space_modules import HOSTILE, as_json, assert_formatted, space_of_graph

FEW = (
    *("digits", "digits_densenet", "digits_hierarchical", "digits_mobilenet_v3_ofa", "digits_vit_adn"),
    "mobilenet_v2_tips",
)
SLOWLY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def check(graph: Graph, number: int) -> None:
    """The rows of the largest, the smallest and `number` drawn sub-networks are those of the compiler's report."""
    space, ours = space_of_graph(graph), conditions(graph)
    rng = random.Random(0)
    for at in (choices.largest(ours), choices.smallest(ours), *(choices.draw(ours, rng) for _ in range(number))):
        compare(space, graph, at)  # type: ignore[arg-type]


def compare(space: object, graph: Graph, at: Assignment) -> None:
    rows = list(space.layers(as_json(graph, at)))  # type: ignore[attr-defined]
    report = cost(graph, at)
    assert rows == [(row.name, row.macs, row.params) for row in report.ops if row.macs or row.params]
    assert all(type(number) is int for row in rows for number in row[1:])
    totals = sum(macs for _, macs, _ in rows), sum(params for _, _, params in rows)
    assert totals == space.cost(as_json(graph, at)) == (report.macs, report.params)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FEW)
def test_the_rows_are_the_compilers(name: str) -> None:
    check(load(SPECS / f"{name}.specc").graph, 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", elastic_names())
def test_the_rows_of_every_spec_are_the_compilers(name: str) -> None:
    check(load(SPECS / f"{name}.specc").graph, 30)


@SLOWLY
@given(graphs())
def test_the_rows_of_random_graphs(graph: Graph) -> None:
    space = space_of_graph(graph)
    for full in list(assignments(graph))[::3]:
        compare(space, graph, canonical(graph, full))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_code(text: str) -> None:
    b = Builder()
    with b.region(b.choice(f"{text}.skip", 0, 1)):  # type: ignore[arg-type]
        b.conv(b.choice(f"{text}.width", 4, 7, 8, 16))  # type: ignore[arg-type]
        b.conv(apply("divisible", apply("mul", Var(b.choices[1].name), 3), 4))
    b.conv(8)
    graph = b.graph()
    assert_formatted(space_module(graph))
    for full in assignments(graph):
        compare(space_of_graph(graph), graph, canonical(graph, full))


def of(stages: str) -> Graph:
    head = "input image(3, 32, 32); classes 10; norm batch"
    text = f"import std.mobilenet\nsupernet net {{ {head}\n{stages}\nhead {{ pool(avg); linear(classes) }} }}"
    return load(Source("net.specc", text)).graph


def test_rounds_that_are_alike_are_one_loop() -> None:
    """Eleven lines more of rounds are none of text."""
    blocks = "inverted_residual(16, kernel={3, 5})"
    few = of(f"stem {{ conv(16, kernel=3); norm }}\nstage s1 {{ {blocks}; repeat 1..2 {{ {blocks} }} }}")
    many = of(f"stem {{ conv(16, kernel=3); norm }}\nstage s1 {{ {blocks}; repeat 11..22 {{ {blocks} }} }}")
    text = space_module(many)
    assert 'for n in range(1, a["s1.depth"] + 2):' in text
    assert len(rows_of(text)) == len(rows_of(space_module(few)))
    for graph in (few, many):
        check(graph, 10)


def rows_of(text: str) -> list[str]:
    return text[text.index("\nLayer =") :].splitlines()


def test_a_loop_ends_where_a_skippable_or_another_block_begins() -> None:
    graph = of(
        "stem { conv(16, kernel=3); norm }\n"
        "stage s1 { inverted_residual(16); skippable { inverted_residual(16) }; inverted_residual(16)\n"
        "repeat 1..3 { inverted_residual(16, kernel=5); inverted_residual(16) } }"
    )
    check(graph, 50)
    assert 'if a["s1.keep"]:' in space_module(graph)


def test_a_reader_can_follow() -> None:
    """The lines of the demo, as a person would write them."""
    text = space_module(load(SPECS / "digits.specc").graph)
    assert 'c32 = divisible(32 * a["width"], 2)' in text
    assert 'yield "stem.conv", c32 * 3**2 * 8**2, c32 * 3**2  # 3x3, 1 -> c32' in text
    assert "hidden = in_ * 3" in text
    assert 'yield f"{path}.conv1", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden' in text
    assert 'for n in range(1, a["s1.depth"] + 2):' in text
