"""Searches that are interrupted, continued, killed and shared out find what one run of one process finds."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.runtime.files.whole import write_text
from specc.runtime.run import journal as journal_part
from specc.runtime.run.distributed import World
from specc.runtime.run.journal import Journal, fingerprint, key, open_journal
from specc.runtime.search import evaluator as evaluator_part
from specc.runtime.search.evaluator import Calibrated, Evaluator, Measure
from specc.runtime.search.front import Point, admit, to_json
from specc.runtime.search.page import write_page
from specc.runtime.search.picture import Series, draw
from specc.runtime.search.proposals import Proposals
from specc.runtime.train.interfaces import Assignment
from tests.helpers.tiny import tiny_net
from tests.helpers.toy import EVOLUTION, blocks, by, evaluator_of, good, searched

STRATEGY = {**EVOLUTION, "evaluations": 60}
ALONE = World(0, 1, torch.device("cpu"))


class Counting:
    """A measure that writes down, before it answers, what it was asked."""

    def __init__(self, measure: Measure, pause: float = 0.0, path: Path | None = None) -> None:
        self.measure = measure
        self.pause = pause
        self.path = path
        self.asked: list[Assignment] = []

    def __call__(self, at: Assignment, what: str) -> dict[str, float]:
        self.asked.append(at)
        time.sleep(self.pause)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write("x")
        return {**self.measure(at, what)}


def test_an_interrupted_search_goes_on_and_measures_nothing_twice(tmp_path: Path) -> None:
    space = blocks()
    first = Counting(by(good))
    whole = searched(space, evaluator_of(space, first, tmp_path / "whole"), STRATEGY)
    lines = (tmp_path / "whole").read_text().splitlines(keepends=True)
    assert len(lines) == len(first.asked) == 60
    for kept in (0, 1, 17, 60):
        path = tmp_path / f"{kept}"
        path.write_text("".join(lines[:kept]))
        again = Counting(by(good))
        evaluator = evaluator_of(space, again, path)
        assert searched(space, evaluator, STRATEGY) == whole
        assert len(again.asked) == 60 - kept
        assert evaluator.reused == kept
        assert path.read_text() == "".join(lines)
    longer = Counting(by(good))
    evaluated, _ = searched(space, evaluator_of(space, longer, tmp_path / "whole"), {**STRATEGY, "evaluations": 80})
    assert len(evaluated) == 80
    assert len(longer.asked) == 20


def test_measured_limits_are_remembered_too(tmp_path: Path) -> None:
    """What was too slow is neither measured again nor left out of the sequence of proposals."""
    space = blocks()
    budgets = [{"name": "latency", "most": 0.0005}]
    runs: list[Any] = []
    lines: list[str] = []
    for count in (0, 25, 200):
        path = tmp_path / f"{count}"
        if count:
            path.write_text("".join(lines[:count]))
        evaluator = evaluator_of(space, by(good), path, budgets, timed=True)
        runs.append(searched(space, evaluator, STRATEGY, costs=("latency",)))
        lines = path.read_text().splitlines(keepends=True)
        assert len(lines) == 60
    assert runs[0] == runs[1] == runs[2]
    slow = [row for row in map(json.loads, lines) if "accuracy" not in row]
    assert slow
    assert all(row["latency"] > 0.0005 for row in slow)


def test_torn_and_foreign_lines_are_passed_over_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "search.jsonl"
    other = open_journal(path, "other", ALONE)
    other.add({"width": 1.0}, {"accuracy": 0.1})
    with path.open("a") as file:
        file.write('null\n[1]\n{"of": "mine"}\n\0\0\n{"of": "mine", "at": {"width": 0.5}, "accu')
    mine = open_journal(path, "mine", ALONE)
    assert mine.found == {}
    mine.add({"width": 1.0}, {"accuracy": 0.9})
    mine.add({"width": 1.0}, {"latency": 0.01})
    again = open_journal(path, "mine", ALONE)
    assert again.known({"width": 1.0}) == {"accuracy": 0.9, "latency": 0.01}
    assert again.known({"width": 0.5}) == {}
    assert open_journal(path, "other", ALONE).known({"width": 1.0}) == {"accuracy": 0.1}
    assert len(path.read_text().splitlines()) == 8
    odd: list[dict[str, Any]] = [
        {"at": {"width": 1.0}, "energy": 5, "test_accuracy": 0.8},
        {"at": {"width": 0.5}, "accuracy": "high"},
        {"at": [1], "accuracy": 0.3},
    ]
    with path.open("a") as file:
        file.writelines(json.dumps({"of": "mine", **row}) + "\n" for row in odd)
    last = open_journal(path, "mine", ALONE)
    assert last.known({"width": 1.0}) == {"accuracy": 0.9, "latency": 0.01, "test_accuracy": 0.8, "energy": 5}
    assert len(last.found) == 1
    evaluator = Evaluator(lambda at: {"macs": 1, "params": 1}, lambda at, what: {}, last, (), False, ALONE)
    point = evaluator.point({"width": 1.0})
    assert (point.value, point.latency, point.test_value) == (0.9, 0.01, 0.8)


def test_a_fingerprint_tells_files_and_settings_apart(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"one")
    b.write_bytes(b"two")
    prints: list[list[Path | str]] = [[a, "x"], [b, "x"], [a, "y"], ["x", a], [a, "x", ""], ["one", "x"]]
    assert len({fingerprint(parts) for parts in prints}) == len(prints)
    before = fingerprint([a, "x"])
    assert before == fingerprint([a, "x"])
    a.write_bytes(b"three")
    assert before != fingerprint([a, "x"])


def whole_search(folder: Path) -> None:
    """What search.py does, slowly and without a network. Runs in a process of its own."""
    space = blocks()
    evaluator = evaluator_of(space, Counting(by(good), 0.002, folder / "asked"), folder / "search.jsonl")
    evaluated, front = searched(space, evaluator, STRATEGY)
    write_text(folder / "pareto.json", to_json(front, {}))
    write_page(folder / "pareto.html", "toy", evaluated, front, ["macs"])
    points = [(p.macs, p.value) for p in front]
    for _ in range(3):
        draw(Series("toy", "macs", points, points), folder)


def test_a_killed_search_loses_nothing_and_leaves_no_half_file(tmp_path: Path) -> None:
    """SIGKILL at ten moments, while it measures and while it writes what it found; then it may finish."""
    fork = multiprocessing.get_context("fork")
    killed = 0
    for delay in (0.02, 0.03, 0.05, 0.04, 0.06, 0.05, 0.08, 0.12, 0.15, 0.2):
        process = fork.Process(target=whole_search, args=(tmp_path,))
        process.start()
        process.join(delay)
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        asked = len((tmp_path / "asked").read_text()) if (tmp_path / "asked").exists() else 0
        journal = Journal(tmp_path / "search.jsonl", "toy")
        journal.read()
        # between the answer and its line there is no more than one evaluation
        assert asked - killed <= len(journal.found) <= asked
        if (tmp_path / "pareto.json").exists():
            assert json.loads((tmp_path / "pareto.json").read_text())["points"]
        if (tmp_path / "pareto.html").exists():
            assert (tmp_path / "pareto.html").read_text().rstrip().endswith("</html>")
        if (tmp_path / "pareto.png").exists():
            assert (tmp_path / "pareto.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    assert killed > 3
    process = fork.Process(target=whole_search, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    whole = tmp_path / "whole"
    whole.mkdir()
    whole_search(whole)
    assert (tmp_path / "pareto.json").read_text() == (whole / "pareto.json").read_text()
    assert (tmp_path / "pareto.html").read_text() == (whole / "pareto.html").read_text()
    assert len((tmp_path / "search.jsonl").read_text().splitlines()) == 60


class Ranks:
    """Processes as threads: `gather` waits for all of them, as torch.distributed's does."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size)
        self.parts: list[Sequence[Any]] = [()] * size

    def gather(self, items: Sequence[Any], world: World) -> list[Any]:
        if world.size == 1:
            return [*items]
        self.parts[world.rank] = items
        self.barrier.wait(timeout=30)
        found = [item for part in self.parts for item in part]
        self.barrier.wait(timeout=30)
        return found


@pytest.mark.parametrize("size", [2, 3])
def test_shared_out_among_processes_the_search_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    space = blocks()
    budgets = [{"name": "latency", "most": 0.00055}]
    alone = evaluator_of(space, by(good), tmp_path / "alone", budgets, timed=True)
    wanted = searched(space, alone, STRATEGY)
    wanted_end = alone.finished(wanted[1])
    ranks = Ranks(size)
    monkeypatch.setattr(evaluator_part, "gather", ranks.gather)
    monkeypatch.setattr(journal_part, "gather", ranks.gather)
    # as if an earlier run had been interrupted
    earlier = (tmp_path / "alone").read_text().splitlines(keepends=True)[:11]
    (tmp_path / "shared").write_text("".join(earlier))
    counters = [Counting(by(good)) for _ in range(size)]
    found: list[Any] = [None] * size
    ends: list[list[Point]] = [[] for _ in range(size)]

    def process(rank: int) -> None:
        world = World(rank, size, torch.device("cpu"))
        evaluator = evaluator_of(space, counters[rank], tmp_path / "shared", budgets, timed=True, world=world)
        found[rank] = searched(space, evaluator, STRATEGY)
        ends[rank] = evaluator.finished(found[rank][1])

    threads = [threading.Thread(target=process, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == [wanted] * size
    assert ends == [wanted_end] * size
    assert all(point.test_value == point.value for point in wanted_end)
    loads = [len(counter.asked) for counter in counters]
    assert max(loads) < 1.4 * sum(loads) / size
    rows = [json.loads(line) for line in (tmp_path / "shared").read_text().splitlines()]
    journals = [open_journal(tmp_path / name, "toy", ALONE).found for name in ("shared", "alone")]
    assert journals[0] == journals[1]
    assert len(rows) == len((tmp_path / "alone").read_text().splitlines())


def test_each_plan_is_calibrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def calibrated(net: Any, plan: Any, batches: Any) -> Any:
        made.append(plan.assignment)
        return plan

    monkeypatch.setattr(evaluator_part, "calibrated", calibrated)
    plans = Calibrated(tiny_net(), [])
    small, large = {"width": 2, "keep": False}, {"width": 8, "keep": True}
    first = plans(small)
    assert plans(dict(reversed(small.items()))) is first
    plans(large)
    plans.keep([Point(small, 1, 1)])
    assert plans(small) is first
    plans(large)
    assert made == [small, large, large]


def test_a_whole_search_calibrates_each_candidate_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its latency, its accuracy or, at the end, its test accuracy is measured."""
    made: list[str] = []

    def calibrated(net: Any, plan: Any, batches: Any) -> Any:
        made.append(key(plan))
        return plan

    class Net:
        def plan(self, at: Assignment) -> Assignment:
            return at

    monkeypatch.setattr(evaluator_part, "calibrated", calibrated)
    space, plans = blocks(), Calibrated(Net(), [])
    evaluator = evaluator_of(space, lambda at, what: by(good)(plans(at), what), tmp_path / "j", timed=True)
    proposals = Proposals(space, STRATEGY, random.Random(0), ["macs", "latency"])
    front: list[Point] = []
    evaluated: list[str] = []
    for generation in proposals:
        points = evaluator.points(generation)
        proposals.learn(points)
        for point in points:
            front = admit(front, point, ["macs", "latency"])
        plans.keep(front)
        evaluated += [key(point.at) for point in points]
    assert all(point.test_value == point.value for point in evaluator.finished(front))
    assert made == evaluated
    assert len(set(made)) == 60


def test_a_predicted_latency_is_counted_and_never_measured(tmp_path: Path) -> None:
    """Whatever an earlier run has measured; limits on it hold before anything is evaluated."""
    space = blocks()
    earlier = evaluator_of(space, by(good), tmp_path / "j", timed=True)
    earlier.points([space.largest(), space.smallest()])
    counting = Counting(by(good))

    def costs(at: Assignment) -> dict[str, Any]:
        return {"macs": space.macs(at), "params": 1, "memory": 4, "latency": space.macs(at) / 1e6}

    budgets = [{"name": "latency", "most": 2e-4}]
    evaluator = Evaluator(costs, counting, open_journal(tmp_path / "j", "toy", ALONE), budgets, False, ALONE)
    evaluated, front = searched(space, evaluator, STRATEGY, costs=("latency",))
    assert space.smallest() in [point.at for point in evaluated]
    assert space.largest() not in [point.at for point in evaluated]
    assert all(point.latency == point.macs / 1e6 <= 2e-4 for point in evaluated)
    assert len(counting.asked) == len(evaluated) - 1
    asked = len(counting.asked)
    assert all(point.test_value == point.value for point in evaluator.finished(front))
    assert len(counting.asked) == asked + len(front)
