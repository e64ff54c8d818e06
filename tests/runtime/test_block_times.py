"""Latency tables of generated projects: with a clock that counts MACs, sums over blocks are exact."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from specc.codegen import blocks as block_rules
from specc.codegen.blocks import blocks_of
from specc.cost import cost
from specc.ir.graph import Graph
from specc.runtime.latency import block_times, marks
from specc.runtime.latency.block_times import covering, write_table
from specc.runtime.latency.marks import FusedMarks, Marks
from specc.space.choices import draw
from specc.subnets.latency import latency
from specc.subnets.space import space_of
from tests.helpers.documents import check_file
from tests.helpers.projects import from_text, importing, project

SPEC = """
import std.mobilenet

supernet small {
  input image(1, resolution=6..8 step 2); classes 10
  norm batch
  width per_group {0.5, 1.0} round 4
  stem { conv(8, kernel=3); norm; relu6 }
  stage s1 { repeat 2 { inverted_residual(8, expand=2) }; skippable { inverted_residual(8, expand=2) } }
  stage s2 { conv(16, kernel={1, 3}, stride=2); norm; relu; repeat 0..2 { inverted_residual(16, expand=2) } }
  head { pool(avg); linear(classes) }
}
method pss(budgets=[latency(step=1ms)])
"""


@pytest.fixture(scope="module")
def graph() -> Graph:
    return from_text(SPEC).graph


@pytest.fixture
def made(tmp_path: Path) -> tuple[Any, Any]:
    """The network of the spec, and its space."""
    model = project(from_text(SPEC), tmp_path).model.Model().eval()
    with importing(tmp_path):
        import space  # type: ignore[import-not-found]
    return model, space


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the place of clocks: a nanosecond for every multiply-accumulate."""
    with FlopCounterMode(display=False) as counter:

        def clock() -> float:
            return float(counter.get_total_flops() / 2 / 1e9)

        monkeypatch.setattr(marks, "clock_of", lambda device: clock)
        monkeypatch.setattr(block_times, "WARM", 0)
        monkeypatch.setattr(block_times, "ROUNDS", 1)
        yield


def test_blocks_read_the_choices_that_their_shapes_depend_on(graph: Graph) -> None:
    names = [choice.name for choice in graph.choices]
    blocks = blocks_of(graph)
    assert [*blocks] == ["stem", "s1.b1", "s1.b2", "s1.b3", "s2.conv", "s2.norm", "s2.b1", "s2.b2", "head"]
    stem, out, kernel, depth = "stem.conv.width", "s2.conv.width", "s2.conv.kernel", "s2.depth"
    assert {"resolution", stem, out, kernel, depth} <= set(names)
    assert set(blocks["stem"]) == {"resolution", stem}
    assert set(blocks["s1.b1"]) == {"resolution", stem}
    assert set(blocks["s1.b3"]) == {"resolution", stem, *(n for n in names if n.startswith("s1.keep"))}
    assert len(blocks["s1.b3"]) == 3
    assert set(blocks["s2.conv"]) == {"resolution", stem, out, kernel}
    assert set(blocks["s2.norm"]) == {"resolution", out}
    assert set(blocks["s2.b2"]) == {"resolution", out, depth}
    assert set(blocks["head"]) == {"resolution", out}


def test_blocks_of_very_many_shapes_are_measured_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_rules, "MANY", 100)
    text = """
    import std.mobilenet
    supernet small {
      input image(1, 8, 8); classes 10
      norm batch
      width per_group 0.5..1.0 round 1
      stem { conv(8, kernel=3); norm; relu6 }
      stage s1 { skippable { inverted_residual(8, expand=2, hidden=own) } }
      stage s2 { inverted_residual(16, stride=2, expand=2, hidden=own) }
      head { pool(avg); linear(classes) }
    }
    method tips
    """
    blocks = blocks_of(from_text(text).graph)
    stem, hidden, out = "stem.conv.width", "s2.b1.conv1.width", "s2.b1.conv2.width"
    # 5 x 9 x 9 combinations as a whole; a layer reads two of the three.
    inner = {path: set(read) for path, read in blocks.items() if path.startswith("s2.")}
    assert inner == {
        "s2.b1.conv1": {stem, hidden},
        "s2.b1.norm1": {hidden},
        "s2.b1.depthwise": {hidden},
        "s2.b1.norm2": {hidden},
        "s2.b1.conv2": {hidden, out},
        "s2.b1.norm3": {out},
    }
    # No layer of a block whose ends are alike reads less than the block.
    assert {"stem", "s1.b1", "head"} <= set(blocks)


@pytest.mark.parametrize("form", ["fused", "sliced"])
def test_sums_over_blocks_are_the_whole(
    graph: Graph, made: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Every sub-network's MACs are those of its blocks, whichever of them it has, in whatever shapes."""
    net, space = made
    monkeypatch.setattr(block_times, "LEAST", 20)
    with counting(monkeypatch):
        said = write_table(
            net, space, blocks_of(graph), (1, 8, 8), tmp_path, network="small", form=form, whole=12, budget=0
        )
    assert "on 12 whole sub-networks, RMSE 0.00% of the mean" in said
    assert "1.000 (Spearman), 1.000 (Kendall)" in said
    path = tmp_path / ("latency.cpu.json" if form == "fused" else "latency.cpu.sliced.json")
    assert f"1 thread, 1 image at a time, {form}" in said
    rng = random.Random(3)
    for _ in range(10):
        at: Any = draw(space_of(graph), rng)
        assert latency(graph, path, at) * 1e9 == pytest.approx(cost(graph, at).macs)
    check_file(path, "latency.json")
    content = json.loads(path.read_text())
    top = cost(graph, space.largest())
    assert content["largest"] == {"macs": top.macs, "params": top.params}
    assert sorted(p.name for p in tmp_path.glob("latency*")) == [path.name]


def test_batches_take_a_table_of_their_own(
    graph: Graph, made: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads are only asked for: two on a busy machine wait for each other at every operation."""
    net, space = made
    asked: list[int] = []
    monkeypatch.setattr(block_times, "LEAST", 20)

    @contextmanager
    def asking(threads: int) -> Iterator[None]:
        asked.append(threads)
        yield

    monkeypatch.setattr(block_times, "running", asking)
    with counting(monkeypatch):
        said = write_table(
            net,
            space,
            blocks_of(graph),
            (1, 8, 8),
            tmp_path,
            network="small",
            threads=2,
            batch_size=3,
            whole=3,
            budget=0,
        )
    assert "2 threads, 3 images at a time" in said
    assert asked == [2]
    at: Any = space.largest()
    assert latency(graph, tmp_path / "latency.cpu.threads2.batch3.json", at) * 1e9 == 3 * cost(graph, at).macs


def test_an_interrupted_table_goes_on_where_it_was(
    graph: Graph, made: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every finished measurement is noted at once, and none made twice."""
    net, space = made
    blocks = blocks_of(graph)
    inner = block_times.Bench.seconds
    ran: list[Any] = []
    asked: list[Any] = []
    stop = 5

    def counted(self: Any, task: Any) -> dict[str, float]:
        asked.append(task.key)
        if len(ran) == stop:
            raise KeyboardInterrupt
        ran.append(task.key)
        return inner(self, task)

    def write(network: str, of: Any = space) -> None:
        with counting(monkeypatch):
            write_table(net, of, blocks, (1, 8, 8), tmp_path, network=network, whole=2, budget=0)

    monkeypatch.setattr(block_times.Bench, "seconds", counted)
    monkeypatch.setattr(block_times, "LEAST", 1)
    with pytest.raises(KeyboardInterrupt):
        write("small")
    assert not (tmp_path / "latency.cpu.json").exists()
    journal = tmp_path / "latency.cpu.jsonl"
    assert len(journal.read_text().splitlines()) == 5
    check_file(journal, "search.jsonl")
    journal.write_text(journal.read_text() + '{"torn')
    # What was measured of this network is of no use for another.
    with pytest.raises(KeyboardInterrupt):
        write("another")
    assert asked[-1] == ran[0]
    # Nor is it where the network has other options, even if the largest one stayed as it was.
    other = SimpleNamespace(**vars(space))
    other.CHOICES = {name: list(options) for name, options in space.CHOICES.items()}
    other.CHOICES["resolution"][0] -= 1
    with pytest.raises(KeyboardInterrupt):
        write("small", other)
    assert asked[-1] == ran[0]
    stop = 10**6
    write("small")
    tasks = len(covering(space, blocks, 1, random.Random(0))) + 2 * block_times.PASSES
    assert len(ran) == tasks
    assert len({json.dumps(key) for key in ran}) == tasks
    assert not journal.exists()
    at: Any = space.smallest()
    assert latency(graph, tmp_path / "latency.cpu.json", at) * 1e9 == pytest.approx(cost(graph, at).macs)


class Event:
    """A moment on a GPU, known once it was waited for: every block takes a millisecond more than the one before."""

    waited = False
    made = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        Event.made += 1
        self.number = Event.made

    def record(self, stream: object) -> None:
        assert stream == "the stream"
        Event.waited = False

    def elapsed_time(self, other: Event) -> float:
        assert Event.waited
        return float(sum(range(self.number, other.number)))


def test_moments_on_a_gpu_are_events(made: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(device: object) -> None:
        Event.waited = True

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "the stream")
    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    net, space = made
    kept = Marks(torch.device("cuda"))
    _, marked = FusedMarks(net, ["stem", "s1", "s2.conv", "s2", "head"], kept)(net.plan(space.largest()))
    marked(torch.randn(1, 1, 8, 8))
    assert kept.names == ["stem", "s1", "s2.conv", "s2", "head", ""]
    assert kept.seconds() == {"stem": 0.001, "s1": 0.002, "s2.conv": 0.003, "s2": 0.004, "head": 0.005}
    kept.clear()
    assert kept.seconds() == {}


def test_marks_change_no_answer(made: tuple[Any, Any], graph: Graph) -> None:
    net, space = made
    kept = Marks(torch.device("cpu"))
    images = torch.randn(2, 1, 6, 6)
    rng = random.Random(0)
    for form in (FusedMarks(net, blocks_of(graph), kept), marks.Sliced(net, blocks_of(graph), kept)):
        for _ in range(5):
            at = {**space.draw(rng), "resolution": 6}
            whole, marked = form(net.plan(at))
            kept.clear()
            with torch.inference_mode():
                assert torch.equal(marked(images), whole(images))
            assert kept.names[0] == "stem"
            assert kept.names[-2:] == ["head", ""]
            assert all(seconds >= 0 for seconds in kept.seconds().values())
