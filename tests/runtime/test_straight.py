"""Straight lines: the same answers as bound networks, one structure for many widths, weights of the moment."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.codegen.projects import Project, from_text, project
from tests.codegen.test_models import relative, scramble

SPEC = """
import std.mobilenet

supernet net {
  input image(3, 16, 16);  classes 4
  norm batch(bank=width)
  width uniform {0.5, 0.75, 1.0} round 4
  stem { conv(16, kernel=3); norm(eps=1e-3); relu6 }
  stage s1 {
    inverted_residual(16, expand=2, kernel={3, 5})
    skippable keep { inverted_residual(16, expand=2) }
    conv(24, kernel=3, bias=yes); norm; exit early { pool(avg); linear(classes) }
    maxpool(2); norm; dropout(0.2)
  }
  head { pool(avg); linear(16); norm; relu; linear(classes) }
}
method us_net(subnets=3)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project(from_text(SPEC), tmp_path_factory.mktemp("straight"))


@pytest.fixture
def net(made: Project) -> Any:
    net = made.model.Model().eval()
    scramble(net)
    return net


PLANS = (
    "max",
    "min",
    {"width": 0.75, "keep": False},
    {"width": 0.5, "s1.b1.kernel": 3},
    {"exit": "early", "width": 0.75},
)


@pytest.mark.parametrize("at", PLANS, ids=str)
@torch.no_grad()
def test_answers_are_the_bound_network_s(net: Any, at: Any) -> None:
    plan = net.plan(at)
    x = torch.randn(3, 3, 16, 16)
    assert relative(net.straight(plan)(x), net(x, plan)) < 1e-5
    assert relative(net.straight(plan)(x), net.bind(plan)(x)) < 1e-6


@torch.no_grad()
def test_several_outputs(net: Any) -> None:
    plan = net.plan("max", outputs=("early", "head"))
    x = torch.randn(2, 3, 16, 16)
    wanted, found = net(x, plan), net.straight(plan)(x)
    assert found.keys() == wanted.keys() == {"early", "head"}
    assert all(relative(found[name], wanted[name]) < 1e-5 for name in wanted)


def test_widths_kernels_and_banks_share_one_line(net: Any) -> None:
    plans = [{"width": width, "s1.b1.kernel": kernel} for width in (0.5, 0.75, 1.0) for kernel in (3, 5)]
    lines = {id(net.straight(net.plan(at)).line) for at in plans}
    assert len(lines) == 1
    assert net.straight(net.plan({"keep": False})).line is not net.straight(net.plan("max")).line


@torch.no_grad()
def test_it_has_the_weights_of_the_moment(net: Any) -> None:
    x, plan = torch.randn(2, 3, 16, 16), net.plan({"width": 0.75})
    before = net.straight(plan)
    answers = before(x)
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            tensor.mul_(1.5)
    assert relative(net.straight(plan)(x), net(x, plan)) < 1e-5
    assert relative(net.straight(plan)(x), answers) > 1e-2


@torch.no_grad()
def test_calibrated_statistics_are_folded(net: Any, made: Project) -> None:
    assert made.calibrate is not None
    batches = [torch.randn(16, 3, 16, 16) for _ in range(2)]
    plan = made.calibrate.calibrate(net, net.plan({"width": 0.5}), batches)
    x = torch.randn(4, 3, 16, 16)
    assert relative(net.straight(plan)(x), net(x, plan)) < 1e-5
    assert relative(net.straight(plan)(x), net(x, net.plan({"width": 0.5}))) > 1e-2


@torch.no_grad()
def test_a_training_network_stays_in_training(net: Any) -> None:
    net.train()
    x = torch.randn(2, 3, 16, 16)
    line = net.straight(net.plan("min"))
    assert all(module.training for module in net.modules())
    assert torch.equal(line(x), line(x))  # no dropout, no statistics of the batch


@torch.no_grad()
def test_networks_with_lines_are_copied_and_pickled(net: Any, made: Project, tmp_path: Path) -> None:
    x = torch.randn(1, 3, 16, 16)
    wanted = net.straight()(x)
    assert torch.equal(copy.deepcopy(net).straight()(x), wanted)
    with made.known():
        assert torch.equal(pickle.loads(pickle.dumps(net)).straight()(x), wanted)


@torch.no_grad()
def test_other_precisions(net: Any) -> None:
    double = copy.deepcopy(net).double()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    plan = double.plan("min")
    assert relative(double.straight(plan)(x), double(x, plan)) < 1e-12
