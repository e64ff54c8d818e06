"""The projects' own count of peak memory, from ir.json, against the compiler's report."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import pytest

from specc.analysis.names import plain_option
from specc.analysis.report import cost
from specc.analysis.space import complete, draw
from specc.codegen.graph_json import graph_json
from specc.ir.choice import Assignment
from specc.ir.graph import Graph
from specc.pipeline import load
from specc.portable.memory import Memory, exact, most_alive, value
from tests.folders import SPECS

TRIED = (
    "digits",
    "digits_inclusive_sparse",
    "digits_msdnet",
    "digits_mutualnet",
    "digits_vit_adn",
    "mobilenet_v2_tips",
    "mobilenet_v2_awn",
    "resnet50_adn",
)


def plain(graph: Graph, at: Assignment) -> dict[str, Any]:
    """An assignment as projects write it: decimals, yes and no."""
    table = graph.choice_table()
    return {name: plain_option(table[name], option) for name, option in at.items()}


@pytest.mark.parametrize("name", TRIED)
def test_projects_count_the_memory_that_the_compiler_reports(name: str) -> None:
    graph = load(SPECS / f"{name}.specc").graph
    memory = Memory(json.loads(graph_json(graph)))
    tried: list[Assignment] = [complete(graph, {}, "max"), complete(graph, {}, "min")]
    tried += cast("list[Assignment]", draw(graph, 5, 0, "independent").assignments)
    for at in tried:
        assert memory(plain(graph, at)) == cost(graph, at).peak_bytes


def test_tensors_live_until_their_last_reader_has_run() -> None:
    """input 4 -> a 8 -> b 2, then c 1 of b and the input: the input stays to the end; a goes once b is there."""
    steps = [(("in",), ("a",)), (("a",), ("b",)), (("b", "in"), ("c",))]
    sizes = {"in": 4, "a": 8, "b": 2, "c": 1}
    assert most_alive(steps, sizes, ["in"], "c", {}) == 14
    assert most_alive(steps[:2], sizes, ["in"], "b", {}) == 12
    # a view of the input holds on to all of it, and is nothing of its own
    viewed = [(("in",), ("a",)), (("a",), ("b",)), (("b", "part"), ("c",))]
    assert most_alive(viewed, sizes, ["in"], "c", {"part": "in"}) == 14


def test_expressions_are_exact() -> None:
    rng = random.Random(0)
    for _ in range(50):
        width = round(rng.random(), 2)
        assert value(["floor", ["mul", 100, {"choice": "w"}]], {"w": exact(width)}) == round(100 * width)
    assert value(["if", ["eq", {"choice": "kind"}, "wide"], 3, 4], {"kind": "wide"}) == 3
    assert exact(True) == 1
