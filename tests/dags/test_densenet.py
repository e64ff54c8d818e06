"""An elastic DenseNet: every layer's growth is a choice, and what stands before it comes in ever more runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from specc.cost.report import cost
from specc.pipeline import Compiled, load
from specc.source import Source
from specc.subnets.space import size
from tests.helpers.checks import check, check_training
from tests.helpers.comparing import counted
from tests.helpers.folders import SPECS
from tests.helpers.projects import assignments, plain, project


def elastic(width: str) -> Compiled:
    """densenet121 under a `width` setting."""
    path = SPECS / "densenet121.specc"
    text = path.read_text(encoding="utf-8").replace("  norm batch\n", f"  norm batch\n  width {width}\n")
    assert f"width {width}" in text
    return load(Source(path.name, text))


@pytest.mark.slow
def test_densenet_121_with_elastic_growth(tmp_path: Path) -> None:
    spec = elastic("per_group 0.5..1.0 round 8")
    graph = spec.graph
    assert len(graph.choices) == 1 + 2 * (6 + 12 + 24 + 16) + 3
    assert size(graph) > 10**80
    made = project(spec, tmp_path)
    with torch.device("meta"):
        net = made.model.Model().eval()
    for at in assignments(graph, 1):
        assert counted(net, (3, 224, 224), net.plan(plain(graph, at))) == cost(graph, at).macs
    largest, smallest = assignments(graph, 0)
    assert (cost(graph, largest).params, cost(graph, largest).macs) == (7_978_856, 2_834_161_664)
    assert sum(p.numel() for p in net.parameters()) == 7_978_856
    assert cost(graph, smallest).macs < 0.3 * 2_834_161_664


@pytest.mark.slow
def test_densenet_121_runs_bound_and_sliced(tmp_path: Path) -> None:
    spec = elastic("uniform {0.5, 0.75, 1.0} round 8")
    net = project(spec, tmp_path).model.Model().eval()
    x = torch.randn(1, 3, 32, 32)
    plan = net.plan({"width": 0.75})
    extracted = net.extract(plan, fold=False)
    at = {"width": spec.graph.choices[0].options[1]}
    assert sum(p.numel() for p in extracted.parameters()) == cost(spec.graph, at).params
    with torch.no_grad(), FlopCounterMode(display=False) as sliced_count:
        sliced = net(x, plan)
    with torch.no_grad(), FlopCounterMode(display=False) as bound_count:
        assert torch.allclose(extracted(x), sliced, atol=1e-4)
    assert sliced_count.get_total_flops() == bound_count.get_total_flops()


def test_a_small_densenet_in_all_its_forms(tmp_path: Path) -> None:
    text = """import std.densenet
    supernet small {
      input image(1, 8, 8); classes 10
      norm batch
      width per_group {0.5, 1.0} round 2
      stem { conv(8, kernel=3) }
      stage s1 { repeat 2 { concat(here, dense_layer(4)) }; transition(12) }
      stage s2 { repeat 2 { concat(here, dense_layer(4, bottleneck=2)) } }
      head { norm; relu; pool(avg); linear(classes) }
    }
    """
    spec, _, net = check(text, tmp_path, count=2)
    at = assignments(spec.graph, 1)[-1]
    present = {row.name for row in cost(spec.graph, at).ops if row.params}
    check_training(net, net.plan(plain(spec.graph, at)), torch.randn(3, 1, 8, 8), present)  # type: ignore[operator]
