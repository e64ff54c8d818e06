"""Latency tables of generated projects: with a clock that counts MACs, sums over blocks are exact."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from specc.analysis.cost import cost
from specc.analysis.latency import latency
from specc.analysis.space import space_of
from specc.codegen.blocks import blocks_of
from specc.codegen.runtime import block_times
from specc.ir.graph import Graph
from specc.portable.choices import draw
from tests.codegen.projects import from_text, importing, project

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


def counted(call: Callable[[Tensor], Any], images: Tensor, *, rounds: int, budget: float) -> SimpleNamespace:
    """In the place of a clock: a nanosecond for every multiply-accumulate of the call."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        call(images)
    return SimpleNamespace(fastest=counter.get_total_flops() / 2 / 1e9)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return from_text(SPEC).graph


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


def test_sums_over_blocks_are_the_whole(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sub-network's MACs are those of its blocks, whichever of them it has, in whatever shapes."""
    monkeypatch.setattr(block_times, "measure", counted)
    made = project(from_text(SPEC), tmp_path)
    with importing(tmp_path):
        import space  # type: ignore[import-not-found]
    net = made.model.Model().eval()
    about = {"network": "small", "batch_size": 1}
    said = block_times.write_table(net, space, blocks_of(graph), (1, 8, 8), "cpu", about, tmp_path, 5, whole=12)
    assert "on 12 whole sub-networks its error is 0.0% of the mean latency, the correlation of ranks 1.000" in said
    rng = random.Random(3)
    for _ in range(10):
        at: Any = draw(space_of(graph), rng)
        assert latency(graph, tmp_path / "latency.cpu.json", at) * 1e9 == pytest.approx(cost(graph, at).macs)


def test_equal_blocks_are_timed_once(graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[tuple[int, ...]] = []

    def note(call: Callable[[Tensor], Any], images: Tensor, *, rounds: int, budget: float) -> SimpleNamespace:
        timed.append(tuple(images.shape))
        return SimpleNamespace(fastest=0.001)

    monkeypatch.setattr(block_times, "measure", note)
    made = project(from_text(SPEC), tmp_path)
    with importing(tmp_path):
        import space
    net = made.model.Model().eval()
    blocks = {path: reads for path, reads in blocks_of(graph).items() if path.startswith("s1.")}
    shown: list[str] = []

    def images(plan: Any) -> Tensor:
        return torch.zeros(1, 1, plan.resolution, plan.resolution)

    block_times.block_table(net, space, blocks, images, {}, 5, shown.append)
    assert len(shown) == 8
    # Three equal blocks, two widths, two image sizes: four times, not twelve.
    assert len(timed) == 4


def test_a_table_that_would_be_too_large_is_refused() -> None:
    space = SimpleNamespace(CHOICES={"a": range(1000), "b": range(1000)})
    with pytest.raises(SystemExit, match="the block s1 reads choices of 1,000,000 combinations"):
        block_times.most_combinations(space, {"stem": ["a"], "s1": ["a", "b"]})


def test_agreement_is_relative_and_by_rank() -> None:
    rng = np.random.default_rng(0)
    measured = rng.random(50).round(1) + 1
    predicted = measured + rng.normal(0, 0.1, 50)
    found = block_times.agreement(predicted.tolist(), measured.tolist())
    assert found.error == pytest.approx(np.sqrt(((predicted - measured) ** 2).mean()) / measured.mean())
    assert found.correlation == pytest.approx(stats.spearmanr(predicted, measured).statistic)
    assert found.overhead == pytest.approx((measured - predicted).mean())
