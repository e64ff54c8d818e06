"""The importance analysis: the published network in process, a whole command, and a chain of 640,000 states.

The large view is 20,000 feature maps in residual blocks of three convolutions, each of which may be skipped; 32
sub-networks of it are sampled.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from specc import pipeline
from specc.importance import Settings, importance
from specc.importance.chain import directed, undirected
from specc.importance.paths import Ways, best_paths
from specc.importance.report import joined_pairs
from specc.importance.subnets import draw_subnets, pairs_of
from specc.ir.choice import Choice
from specc.ir.expr import Var
from specc.passes.importance_view import View, ViewEdge
from specc.source import Source, Span
from tests.benchmarks.bench_cli import process
from tests.benchmarks.rows import Row, seconds, side_by_side
from tests.helpers.folders import SPECS

SPEC = "mobilenet_v2_tips"
NODES, SUBNETS = 20_000, 32


def run() -> list[Row]:
    graph = pipeline.load(SPECS / f"{SPEC}.specc").graph
    rows = [
        Row(f"{SPEC}, T = 8, undirected", 1e3 * best(lambda: importance(graph)), 5, "ms"),
        Row(f"{SPEC}, T = 8, directed", 1e3 * best(lambda: importance(graph, Settings(directed=True))), 10, "ms"),
        Row(f"{SPEC}, T = 8, expected", 1e3 * best(lambda: importance(graph, Settings(expected=True))), None, "ms"),
    ]
    command = process("-m", "specc", "importance", f"specs/{SPEC}.specc", "--json")
    ratio = side_by_side(command, process("-c", "import numpy"), rounds=9)[2]
    rows.append(Row(f"specc importance {SPEC} / import numpy", ratio, 4, "x"))
    return rows + large()


def large() -> list[Row]:
    """The bars for N = 20,000 and T = 32, and how the time grows from a tenth of it."""
    small, big = Large(NODES // 10), Large(NODES)
    growth = min(map(cpu, [big.directed] * 7)) / min(map(cpu, [small.directed] * 21))
    tracemalloc.start()
    big.whole()
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    what = f"N = {NODES:,}, T = {SUBNETS}"
    return [
        Row(f"{what}, sampling", best(big.sampled, 5), None, "s"),
        Row(f"{what}, undirected", best(big.undirected, 5), 0.1, "s"),
        Row(f"{what}, directed", best(big.directed, 5), 0.3, "s"),
        Row(f"{what}, best TPS of every node count", best(big.paths, 5), 0.3, "s"),
        Row(f"{what}, directed / N = {NODES // 10:,}", growth, 15, "x"),
        Row(f"{what}, memory of all of these", memory / 2**20, 128, "MB"),
    ]


def best(action: Callable[[], object], rounds: int = 31) -> float:
    """The least of several timings: what the work takes where nothing else runs."""
    action()
    return min(seconds(action) for _ in range(rounds))


def cpu(action: Callable[[], object]) -> float:
    """The processor time of one call: what others do at the same time does not count."""
    begun = time.process_time()
    action()
    return time.process_time() - begun


class Large:
    """A view of so many nodes and what is timed of it."""

    def __init__(self, nodes: int) -> None:
        self.view, self.choices = residual_view(nodes)
        self.pairs = pairs_of(self.view)
        self.joined = self.sampled()

    def sampled(self) -> Any:
        drawn = draw_subnets(self.view, self.pairs, self.choices, SUBNETS, seed=0)
        return joined_pairs(self.view, self.pairs, drawn.holds.astype(float), SUBNETS)

    def undirected(self) -> Any:
        return undirected(self.joined, 1.0, 1e-9)

    def directed(self) -> Any:
        return directed(self.joined, 1.0, 1e-9)

    def paths(self) -> Any:
        edges = self.view.edges
        ways = Ways(
            sources=[edge.source for edge in edges],
            targets=[edge.target for edge in edges],
            macs=[0 if edge.identity else 1000 for edge in edges],
            firsts=self.view.firsts,
            lasts=self.view.lasts,
            nodes=len(self.view.nodes),
        )
        return best_paths(ways, self.undirected().degrees)

    def whole(self) -> None:
        self.sampled()
        self.undirected()
        self.directed()
        self.paths()


def residual_view(nodes: int) -> tuple[View, tuple[Choice, ...]]:
    """A chain of residual blocks of three convolutions, each under a choice of its own."""
    origin = Span(Source("large", ""), 0, 0)
    edges, choices = [], []
    for block in range((nodes - 1) // 3):
        first = 3 * block
        choice = Choice(f"keep{block}", (0, 1), "skip", origin)
        choices.append(choice)
        for step in range(3):
            name = f"b{block}.conv{step}"
            edges.append(ViewEdge(name, "conv", (name,), first + step, first + step + 1, Var(choice.name), True, False))
        name = f"b{block}.add"
        edges.append(ViewEdge(f"{name}#2", "add", (name,), first, first + 3, 1, True, True))
    last = edges[-1].target
    return View(tuple(map(str, range(last + 1))), tuple(edges), (0,), (last,)), tuple(choices)
