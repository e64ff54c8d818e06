"""Costs of one sub-network and of many, the size of spaces, draws inside and outside of budgets.

All of it computes on one thread and touches no file, so the time is the processor's: what else runs does not count.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np

from specc import pipeline
from specc.cost import compile_cost
from specc.ir.graph import Graph
from specc.space import choices
from specc.subnets.conditions import conditions, count_of, space_of
from specc.subnets.space import draw, range_of_costs
from tests.benchmarks.bench_cli import generated_spec
from tests.benchmarks.rows import Row
from tests.helpers.folders import SPECS
from tests.helpers.space_modules import space_of_graph

MANY = 20_000
"""Assignments in a batch."""
COSTED = ("mobilenet_v2_pss", "mobilenet_v2_tips", "mobilenet_v1_pss", "resnet34_tips", "digits")

READ = ("mobilenet_v3_ofa", "mobilenet_v2_tips")
"""Whose readable rows are timed beside the fast program."""


def run() -> list[Row]:
    rows = [row for name in COSTED for row in cost_rows(name)]
    rows += [row for name in READ for row in readable_rows(name)]
    return [*rows, *space_rows("mobilenet_v2_pss"), *space_rows("mobilenet_v2_tips"), *growth_rows()]


def seconds(action: Callable[[], object]) -> float:
    """Processor time of one call, without garbage collection in it."""
    gc.collect()
    gc.disable()
    try:
        begun = time.process_time()
        action()
        return time.process_time() - begun
    finally:
        gc.enable()


def graph_of(name: str) -> Graph:
    return pipeline.load(SPECS / f"{name}.specc").graph


def cost_rows(name: str) -> Iterator[Row]:
    """One assignment, a dict, to both counts; a batch of option positions to both counts."""
    graph = graph_of(name)
    compiled, space = compile_cost(graph), conditions(graph)
    rng = random.Random(0)
    drawn = [choices.draw(space, rng) for _ in range(1000)]
    generator = np.random.default_rng(0)
    options = [len(choice.options) for choice in graph.choices]
    batch = np.stack([generator.integers(count, size=MANY) for count in options], axis=1)

    def each() -> None:
        for at in drawn:
            compiled.one(at)  # type: ignore[arg-type]

    compiled.many(batch)
    one = median(seconds(each) for _ in range(15)) / len(drawn)
    many = median(seconds(lambda: compiled.many(batch)) for _ in range(25)) / MANY
    what = f"{name} ({len(options)} choices), MACs and parameters"
    yield Row(f"{what}, one", 1e6 * one, 5, "us")
    yield Row(f"{what}, in a batch", 1e9 * many, 50, "ns")


def readable_rows(name: str) -> Iterator[Row]:
    """A project's `space.layers`, summed, beside its `space.cost` and `space.batched`: one, and each of many."""
    space: Any = space_of_graph(graph_of(name))
    rng = random.Random(0)
    drawn = [space.draw(rng) for _ in range(200)]
    batch = np.array([[o.index(at.get(n, o[0])) for n, o in space.CHOICES.items()] for at in drawn] * (MANY // 200))
    actions: dict[str, tuple[Callable[[], object], int]] = {
        "space.layers, summed, one": (lambda: [sum(macs for _, macs, _ in space.layers(at)) for at in drawn], 200),
        "space.cost, one": (lambda: [space.cost(at) for at in drawn], 200),
        f"space.batched, each of {MANY:,}": (lambda: space.batched(batch), MANY),
    }
    for what, (action, number) in actions.items():
        action()
        took = median(seconds(action) for _ in range(15)) / number
        yield Row(f"{name}, {what}", 1e6 * took, None, "us")


def space_rows(name: str) -> Iterator[Row]:
    """Counting, ranges, and draws from a window in the middle of the range."""
    graph = graph_of(name)
    space_of(graph)
    actions = {
        "size of the space": lambda: count_of(conditions(graph)),
        "ranges of costs": lambda: range_of_costs(graph),
        "100 uniform draws": lambda: draw(graph, 100, 0),
    }
    for what, action in actions.items():
        yield Row(f"{name}, {what}", 1e3 * median(seconds(action) for _ in range(5)), None, "ms")
    low, high = range_of_costs(graph).macs
    window = (low + 0.4 * (high - low), low + 0.45 * (high - low))
    took = median(seconds(lambda: draw(graph, 100, 0, macs=window)) for _ in range(3))
    yield Row(f"{name}, 100 draws within 5 % of the range", 1e3 * took, None, "ms")


def growth_rows() -> Iterator[Row]:
    """Writing the cost program of 10,000 operators beside 1,000."""
    took = []
    for operators in (1_000, 10_000):
        source = generated_spec(operators)
        graphs = [pipeline.load(source).graph for _ in range(2)]
        took.append(min(seconds(lambda graph=graph: compile_cost(graph)) for graph in graphs))  # type: ignore[misc]
    yield Row("cost program, 10,000 operators / 1,000 operators", took[1] / took[0], 12, "x")
