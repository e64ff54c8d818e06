"""Latencies of calls, with clocks by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor

from specc.codegen.blocks import blocks_of
from specc.codegen.graph_json import graph_json
from specc.runtime.latency import timing as latency
from specc.runtime.latency.block_times import read_blocks
from specc.runtime.latency.timing import bench_flags, clock_of, device_name, measure, running
from tests.helpers.projects import compiled

IMAGES = torch.zeros(1)
CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Calls:
    """A clock, and calls that take one after the other of some seconds on it."""

    def __init__(self, seconds: Iterator[float]) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.made = 0
        self.threads: set[int] = set()

    def __call__(self, images: Tensor) -> None:
        self.made += 1
        self.threads.add(torch.get_num_threads())
        self.now += next(self.seconds)

    def clock(self) -> float:
        return self.now


def test_the_figures_are_those_of_all_rounds_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three calls do not count; of ten, nine stay under the ninth."""
    calls = Calls(iter([100.0] * 3 + [5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 10.0]))
    monkeypatch.setattr(latency, "clock_of", lambda device: calls.clock)
    found = measure(calls, IMAGES, rounds=10, budget=1e9)
    assert (found.fastest, found.median, found.p90) == (1.0, 6.0, 9.0)
    assert calls.made == 13


@pytest.mark.parametrize(("budget", "rounds", "made"), [(0.0, 100, 5), (8.0, 100, 8), (1e9, 20, 20), (1e9, 2, 5)])
def test_a_call_is_timed_five_times_at_least(
    monkeypatch: pytest.MonkeyPatch, budget: float, rounds: int, made: int
) -> None:
    calls = Calls(1.0 for _ in count())
    monkeypatch.setattr(latency, "clock_of", lambda device: calls.clock)
    measure(calls, IMAGES, rounds=rounds, budget=budget)
    assert calls.made == 3 + made


def test_so_many_threads_run_for_a_while() -> None:
    before = torch.get_num_threads()
    calls = Calls(0.0 for _ in count())
    measure(calls, IMAGES, rounds=5, threads=before + 1)
    assert calls.threads == {before + 1}
    assert torch.get_num_threads() == before


def test_one_thread_is_timed_by_its_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sleeps takes none; on other devices, and with more threads, other time than this thread's counts, too."""
    with running(1):
        assert clock_of(CPU) is time.thread_time
        assert clock_of(GPU) is time.perf_counter
        monkeypatch.setattr("sys.platform", "win32")
        assert clock_of(CPU) is time.perf_counter
        monkeypatch.undo()
    with running(2):
        assert clock_of(CPU) is time.perf_counter


def test_a_gpu_is_waited_for_before_and_after_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    images = torch.zeros(1, device="meta")
    monkeypatch.setattr(latency, "synchronise", lambda device: order.append("wait"))

    def clock() -> float:
        order.append("clock")
        return 0.0

    latency.timed(lambda images: order.append("call"), images, clock)
    assert order == ["wait", "clock", "call", "wait", "clock"]
    waited: list[torch.device] = []
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    latency.synchronise(GPU)
    latency.synchronise(CPU)
    assert waited == [GPU]


def test_devices_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"the one at {device}")
    assert device_name(GPU) == "the one at cuda"
    assert device_name(CPU)


def test_milliseconds_are_three_figures() -> None:
    text = latency.milliseconds(lambda images: None, torch.zeros(1), rounds=5, threads=1)
    fastest, median, p90 = map(float, text.split(" / "))
    assert fastest <= median <= p90


def test_flags_of_a_network_without_choices_name_no_sub_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert vars(bench_flags(argv=[])) == {"batch_size": 1, "device": "cpu", "threads": 1, "rounds": 200}
    elastic = bench_flags(elastic=True, blocks=True, argv=["--at", "min", "max", "--sliced"])
    assert (elastic.at, elastic.form, elastic.table, elastic.output_dir) == (
        ["min", "max"],
        "sliced",
        False,
        Path("runs"),
    )
    assert bench_flags(elastic=True, blocks=True, argv=[]).form == "fused"
    for words in ({"elastic": False}, {"elastic": True}):
        with pytest.raises(SystemExit):
            bench_flags(**words, argv=["--table"])


def test_the_blocks_of_a_table_are_those_of_the_graph(tmp_path: Path) -> None:
    """What `blocks_of` finds is what the project's bench.py reads."""
    graph = compiled("digits").graph
    path = tmp_path / "ir.json"
    path.write_text(graph_json(graph, blocks_of(graph)))
    assert read_blocks(path) == {name: [*choices] for name, choices in blocks_of(graph).items()}
    assert "blocks" not in json.loads(graph_json(graph))
