"""What a search takes besides evaluating: proposals, costs, the journal, the front, the page."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import torch

from specc.codegen.graph_json import graph_json
from specc.runtime.run.distributed import World
from specc.runtime.run.journal import open_journal
from specc.runtime.search.evaluator import Evaluator
from specc.runtime.search.front import Point, admit
from specc.runtime.search.page import write_page
from specc.runtime.search.proposals import Proposals
from specc.space.memory import Memory
from tests.benchmarks.rows import Row, processor_seconds
from tests.helpers.projects import compiled
from tests.helpers.space_modules import space_of_graph

EVALUATIONS = 1000
COSTS: tuple[tuple[str, ...], ...] = (("macs",), ("macs", "params"))


def run() -> list[Row]:
    graph = compiled("mobilenet_v2_tips").graph
    space = space_of_graph(graph)
    memory = Memory(json.loads(graph_json(graph)))
    rows = []
    for costs in COSTS:
        took = median(processor_seconds(searching(space, memory, costs)) for _ in range(3))
        what = f"mobilenet_v2_tips, search of {EVALUATIONS:,}, accuracy and {' and '.join(costs)}"
        rows.append(Row(what, took, None, "s"))
    return rows


def searching(space: ModuleType, memory: Memory, costs: Sequence[str]) -> Callable[[], object]:
    """A whole search as search.py makes it, but for what it evaluates: accuracy is as good as free."""
    most = space.macs(space.largest())

    def counted(at: Mapping[str, Any]) -> dict[str, Any]:
        return {"macs": space.macs(at), "params": space.params(at), "memory": memory(at)}

    def measured(at: Mapping[str, Any], what: str) -> dict[str, float]:
        return {what: (space.macs(at) / most) ** 0.3 + 1e-3 * (len(at) % 7)}

    def search() -> None:
        world = World(0, 1, torch.device("cpu"))
        with TemporaryDirectory() as folder:
            journal = open_journal(Path(folder) / "search.jsonl", "toy", world)
            evaluator = Evaluator(counted, measured, journal, (), timed=False, world=world)
            strategy = {"name": "evolution", "evaluations": EVALUATIONS, "population": 32, "mutation": 0}
            proposals = Proposals(space, strategy, random.Random(0), costs, (), evaluator.allowed)
            evaluated: list[Point] = []
            front: list[Point] = []
            for generation in proposals:
                points = evaluator.points(generation)
                proposals.learn(points)
                for point in points:
                    front = admit(front, point, costs)
                evaluated += points
            assert len(evaluated) == EVALUATIONS
            write_page(Path(folder) / "pareto.html", "toy", evaluated, front, costs)

    return search
