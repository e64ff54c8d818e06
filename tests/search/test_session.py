"""What a search stands on: how sub-networks are counted and measured, how it ends, and what it says."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.codegen.graph_json import graph_json
from specc.outputs.classes.task import Classes
from specc.runtime.run.distributed import World
from specc.runtime.search.front import Point
from specc.runtime.search.session import Search, counting, front_table, measuring, read_latencies
from specc.space.latency_table import table_of
from specc.space.memory import Memory
from tests.helpers.projects import compiled
from tests.helpers.space_modules import space_of_graph

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def space() -> Any:
    return space_of_graph(compiled("digits").graph)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "ir.json"
    path.write_text(graph_json(compiled("digits").graph))
    return path


def flat_table(space: Any, seconds: float) -> dict[str, Any]:
    """A latency table in which every sub-network takes as long."""
    return {
        "network": "digits",
        "device": "cpu",
        "processor": "x",
        "threads": 1,
        "batch_size": 1,
        "form": "fused",
        "largest": {"macs": space.macs(space.largest()), "params": space.params(space.largest())},
        "choices": {name: list(options) for name, options in space.CHOICES.items()},
        "blocks": [{"name": "between blocks", "choices": [], "seconds": [seconds]}],
    }


def test_costs_are_those_of_the_space_the_graph_and_the_table(space: Any, graph: Path) -> None:
    memory = Memory(json.loads(graph.read_text()))
    at = space.smallest()
    plain = counting(space, graph)(at)
    assert plain == {"macs": space.macs(at), "params": space.params(at), "memory": memory(at)}
    timed = dict(counting(space, graph, table_of(flat_table(space, 0.002)))(at))
    assert timed.pop("latency") == pytest.approx(0.002)
    assert timed == plain


def test_where_training_runs_a_few_costs_say_which(space: Any, graph: Path) -> None:
    costs = counting(space, graph, listed=["max", {"width": space.CHOICES["width"][0]}])
    assert costs(space.largest())["trained"] is True
    assert costs(space.smallest())["trained"] is False


def test_a_table_that_cannot_be_used_is_told(space: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "latency.cpu.json"
    assert read_latencies(None, space, ALONE) is None
    with pytest.raises(SystemExit, match="cannot read"):
        read_latencies(path, space, ALONE)
    path.write_text("{}")
    with pytest.raises(SystemExit, match=r"^--latency-table: "):
        read_latencies(path, space, ALONE)
    path.write_text(json.dumps(flat_table(space, 0.002)))
    assert read_latencies(path, space, ALONE) is not None
    assert capsys.readouterr().out.startswith(f"latencies by {path}: ")


class Constant:
    """A network that answers as its plan says, whatever it sees."""

    training = False

    def __init__(self) -> None:
        self.timed: list[Any] = []

    def eval(self) -> None: ...

    def train(self, mode: bool) -> None: ...

    def __call__(self, images: Tensor, plan: Any) -> Tensor:
        return torch.tensor([plan.logits]).expand(len(images), -1)

    def fused(self, plan: Any) -> Any:
        return lambda images: self.timed.append(tuple(images.shape))


def test_what_is_measured_is_accuracy_of_these_images_or_latency_at_the_resolution() -> None:
    """Of four held-out images three are of class 1, of two test images one."""
    labels = {"validation": [1, 1, 1, 0], "test": [1, 0]}
    batches = {name: [(torch.zeros(len(of), 1, 4, 4), torch.tensor(of))] for name, of in labels.items()}
    data = SimpleNamespace(validation="validation", test="test")
    loading = SimpleNamespace(data=data, evaluation=batches.__getitem__, world=ALONE)
    net = Constant()
    plans = {
        "right": SimpleNamespace(logits=[0.0, 1.0], resolution=8),
        "broken": SimpleNamespace(logits=[math.nan, 0.0], resolution=None),
    }

    def plan_of(at: Mapping[str, Any]) -> Any:
        return plans[at["is"]]

    measure = measuring(SimpleNamespace(net=net, task=Classes(2), loading=loading), plan_of, (1, 4, 4))  # type: ignore[arg-type]
    assert measure({"is": "right"}, "accuracy") == {"accuracy": 0.75}
    assert measure({"is": "right"}, "test_accuracy") == {"test_accuracy": 0.5}
    assert measure({"is": "broken"}, "accuracy") == {"accuracy": 0.0, "broken": 4}
    found = measure({"is": "right"}, "latency")
    assert list(found) == ["latency", "latency_p90"]
    assert set(net.timed) == {(1, 1, 8, 8)}


def ended(space: Any, broken: list[Any], budgets: tuple[Any, ...] = ()) -> Search:
    """A search that has looked at the smallest sub-network."""
    looked_at = [Point(space.smallest(), 10, 5, 0.5)]
    evaluator = SimpleNamespace(
        reused=3, broken=lambda: broken, looked_at=lambda: looked_at, finished=lambda points: [*points]
    )
    options = SimpleNamespace(budgets=budgets)
    parts = dict.fromkeys(("trained", "costs", "proposals", "plans", "metric", "table", "origin"), None)
    return Search(**parts, space=space, options=options, world=ALONE, evaluator=evaluator, started=0.0)  # type: ignore[arg-type]


def test_a_front_is_finished_by_rising_macs(space: Any, capsys: pytest.CaptureFixture[str]) -> None:
    points = [Point({"n": n}, macs, 1) for n, macs in enumerate((30, 10, 20))]
    front = ended(space, [{"width": 0.2}]).finished(points, points)
    assert [point.macs for point in front] == [10, 20, 30]
    out = capsys.readouterr().out
    assert out.startswith("evaluated 3 sub-networks, 3 of them in earlier runs, in ")
    assert "warning: 1 of 1 sub-networks output NaN or Inf and are left out, such as width=0.2\n" in out


def test_an_empty_front_ends_the_search_with_the_reason(space: Any) -> None:
    with pytest.raises(SystemExit, match="no sub-network is left: train again"):
        ended(space, [space.smallest()]).finished([], [])
    with pytest.raises(SystemExit, match="the nearest MACs are 45,860, the least"):
        ended(space, [], ({"name": "macs", "most": 5.0},)).finished([], [])


def test_the_table_numbers_the_front_and_marks_what_no_step_has_trained() -> None:
    points = [
        Point({"width": w}, 200 * w, 100, 0.5, 0.001, 0.002, 0.25, 300, trained)
        for w, trained in zip((1, 2), (True, False), strict=True)
    ]
    rows = front_table(points).splitlines()
    assert rows[0].split() == ["sub-network", "MACs", "params", "bytes", "validation", "test", "latency"]
    first, second = itertools.islice((row.split() for row in rows if "width" in row), 2)
    assert first == ["1", "width=1", "200", "100", "300", "50.00%", "25.00%", "1.000", "ms"]
    assert second[:4] == ["2", "width=2", "(not", "trained)"]
