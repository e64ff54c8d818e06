"""Fused sub-networks: the same answers as extracted networks, one structure for many widths, weights of the moment.

A line with weights of its own keeps those of the moment in which it was made; a line that shares the network's answers
as the network does, whatever was done to it in between.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import ELASTIC
from tests.helpers.projects import Project, from_text, project

SPEC = ELASTIC.replace("resolution=12..16 step 4", "16, 16")

FIXED = """
supernet net {
  input image(3, 16, 16);  classes 4
  norm batch
  stem { conv(16, kernel=3); norm; relu }
  stage s1 {
    maxpool(2); norm
    skippable keep { residual { conv(16, kernel=3, stride=1); norm; relu } }
    conv(24, kernel=1, stride=2); norm
  }
  head { pool(avg); norm; dropout(0.5); linear(classes) }
}
method us_net(subnets=3)
"""

JOINED = """
supernet net {
  input image(3, 16, 16);  classes 4
  norm batch
  width uniform {0.5, 1.0} round 4
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { a = conv(8, kernel=1); concat(a, here); conv(24, kernel=3); norm; relu }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=3)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project(from_text(SPEC), tmp_path_factory.mktemp("fused"))


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
def test_outputs_are_those_of_the_extracted_network(net: Any, at: Any) -> None:
    plan = net.plan(at)
    x = torch.randn(3, 3, 16, 16)
    assert relative(net.fused(plan)(x), net(x, plan)) < 1e-5
    assert relative(net.fused(plan)(x), net.extract(plan)(x)) < 1e-6
    assert relative(net.fused(plan, share=True)(x), net(x, plan)) < 1e-5


@torch.no_grad()
def test_several_outputs(net: Any) -> None:
    plan = net.plan("max", outputs=("early", "head"))
    x = torch.randn(2, 3, 16, 16)
    wanted = net(x, plan)
    for share in (False, True):
        found = net.fused(plan, share=share)(x)
        assert found.keys() == wanted.keys() == {"early", "head"}
        assert all(relative(found[name], wanted[name]) < 1e-5 for name in wanted)


@torch.no_grad()
def test_maps_are_contiguous_whatever_the_layout_on_the_way(net: Any) -> None:
    plan, x = net.plan("max", outputs=("s1",)), torch.randn(2, 3, 16, 16)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        for share in (False, True):
            found = net.fused(plan, share=share)(given)["s1"]
            assert found.is_contiguous()
            assert relative(found, net(x, plan)["s1"]) < 1e-5


def test_widths_kernels_and_banks_share_one_line(net: Any) -> None:
    plans = [{"width": width, "s1.b1.kernel": kernel} for width in (0.5, 0.75, 1.0) for kernel in (3, 5)]
    lines = {id(net.fused(net.plan(at)).line) for at in plans}
    assert len(lines) == 1
    assert net.fused(net.plan({"keep": False})).line is not net.fused(net.plan("max")).line


def test_the_lines_asked_for_last_are_kept(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of ten blocks that may be left out has a thousand structures, of a megabyte each."""
    monkeypatch.setitem(type(net).fused.__globals__["fused"].__globals__, "LINES", 2)
    net.__dict__.pop("_lines", None)
    plans = [net.plan(at) for at in ({}, {"keep": False}, {"exit": "early"})]
    first, second = (net.fused(plan).line for plan in plans[:2])
    assert net.fused(plans[0]).line is first
    third = net.fused(plans[2]).line
    assert [*net._lines.values()] == [first, third]
    assert net.fused(plans[1]).line is not second


@torch.no_grad()
def test_it_has_the_weights_of_the_moment(net: Any) -> None:
    x, plan = torch.randn(2, 3, 16, 16), net.plan({"width": 0.75})
    before = net.fused(plan)
    answers = before(x)
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            tensor.mul_(1.5)
    assert relative(net.fused(plan)(x), net(x, plan)) < 1e-5
    assert relative(net.fused(plan)(x), answers) > 1e-2


@torch.no_grad()
def test_gathered_weights_are_of_the_moment_too(tmp_path: Path) -> None:
    """Joined channels: torch does not count what is written through `.data`."""
    net = project(from_text(JOINED), tmp_path).model.Model().eval()
    scramble(net)
    x, plan = torch.randn(2, 3, 16, 16), net.plan("min")
    net(x, plan)
    for parameter in net.parameters():
        parameter.data.mul_(1.25)
    assert relative(net.fused(plan)(x), net(x, net.plan("min"))) < 1e-5


@torch.no_grad()
def test_calibrated_statistics_are_folded(net: Any, made: Project) -> None:
    assert made.calibrate is not None
    batches = [torch.randn(16, 3, 16, 16) for _ in range(2)]
    plan = made.calibrate.calibrate(net, net.plan({"width": 0.5}), batches)
    x = torch.randn(4, 3, 16, 16)
    assert relative(net.fused(plan)(x), net(x, plan)) < 1e-5
    assert relative(net.fused(plan)(x), net(x, net.plan({"width": 0.5}))) > 1e-2


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("text", [SPEC, FIXED], ids=["banks", "fixed widths"])
@torch.no_grad()
def test_a_training_network_stays_in_training(text: str, share: bool, tmp_path: Path) -> None:
    """No dropout, no statistics of the batch; and those of the network stay as they are."""
    net = project(from_text(text), tmp_path).model.Model().eval()
    scramble(net)
    x, plan = torch.randn(4, 3, 16, 16), net.plan("min")
    wanted = net(x, plan)
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    line = net.fused(plan, share=share)
    assert relative(line(x), wanted) < 1e-5
    assert all(module.training for module in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


@torch.no_grad()
def test_networks_with_lines_are_copied_and_pickled(net: Any, made: Project, tmp_path: Path) -> None:
    x = torch.randn(1, 3, 16, 16)
    wanted = net.fused()(x)
    assert torch.equal(copy.deepcopy(net).fused()(x), wanted)
    shared = net.fused(share=True)
    assert relative(copy.deepcopy(shared)(x), wanted) < 1e-5
    with made.known():
        assert torch.equal(pickle.loads(pickle.dumps(net)).fused()(x), wanted)
        assert torch.equal(pickle.loads(pickle.dumps(net.fused()))(x), wanted)
        assert relative(pickle.loads(pickle.dumps(shared))(x), wanted) < 1e-5


@torch.no_grad()
def test_other_precisions(net: Any) -> None:
    double = copy.deepcopy(net).double()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    plan = double.plan("min")
    assert relative(double.fused(plan)(x), double(x, plan)) < 1e-12
    assert relative(double.fused(plan, share=True)(x), double(x, plan)) < 1e-12


def weights_in_place(net: Any, at: str) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.25)


def weights_through_data(net: Any, at: str) -> None:
    """torch does not count these changes."""
    for parameter in net.parameters():
        parameter.data.mul_(1.25)


def weights_through_numpy(net: Any, at: str) -> None:
    """Nor these."""
    for parameter in net.parameters():
        parameter.detach().numpy()[:] *= 1.25


def statistics(net: Any, at: str) -> None:
    for name, tensor in net.named_buffers():
        if name.endswith("running_var"):
            tensor.data.mul_(1.5)


def one_number(net: Any, at: str) -> None:
    """The last channel that the narrowest sub-network uses of one norm's offsets."""
    bank = net.stem.norm[0]
    bank.bias.data[7] += 1.0


def epsilon(net: Any, at: str) -> None:
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eps = 0.5


def loaded(net: Any, at: str) -> None:
    net.load_state_dict(changed(net))


def assigned(net: Any, at: str) -> None:
    net.load_state_dict(changed(net), assign=True)


def replaced(net: Any, at: str) -> None:
    net.stem.conv.weight = torch.nn.Parameter(net.stem.conv.weight.detach() * 1.25)


def steps_of_training(net: Any, at: str) -> None:
    """Fused optimizers write past torch's count of changes."""
    train(net, net.plan(at), fused=True)


def gradients_then_a_step(net: Any, at: str) -> None:
    train(net, net.plan(at), fused=False)


def train(net: Any, plan: Any, fused: bool) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9, fused=fused)
    net.train()
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.randn(4, 3, 16, 16), plan).square().mean().backward()
        optimizer.step()
    net.eval()


def changed(net: Any) -> dict[str, torch.Tensor]:
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    return {name: tensor * 1.25 if tensor.is_floating_point() else tensor for name, tensor in state.items()}


CHANGES = (
    weights_in_place,
    weights_through_data,
    weights_through_numpy,
    statistics,
    one_number,
    epsilon,
    loaded,
    assigned,
    replaced,
    steps_of_training,
    gradients_then_a_step,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_shared_line_follows_every_change(net: Any, change: Callable[[Any, str], None]) -> None:
    plan, x = net.plan("min"), torch.randn(2, 3, 16, 16)
    line = net.fused(plan, share=True)
    before = [line(x) for _ in range(2)][1]
    change(net, "min")
    fresh = copy.deepcopy(net)
    with torch.no_grad():
        wanted = fresh(x, fresh.plan("min"))
    assert relative(line(x), wanted) < 1e-5
    assert relative(before, wanted) > 1e-3


@torch.no_grad()
def test_a_shared_line_follows_to_other_precisions_and_back(net: Any) -> None:
    plan, x = net.plan("min"), torch.randn(2, 3, 16, 16)
    line = net.fused(plan, share=True)
    wanted = line(x)
    net.double()
    assert relative(line(x.double()), net(x.double(), plan)) < 1e-12
    net.float()
    assert relative(line(x), wanted) < 1e-6


AWAY = "cuda" if torch.cuda.is_available() else "cpu"


@torch.no_grad()
def test_a_shared_line_follows_to_another_device_and_back(net: Any) -> None:
    plan, x = net.plan("min"), torch.randn(2, 3, 16, 16)
    line = net.fused(plan, share=True)
    wanted = line(x)
    net.to(AWAY)
    assert relative(line(x.to(AWAY)).cpu(), wanted) < 1e-4
    assert relative(net.fused(plan)(x.to(AWAY)).cpu(), wanted) < 1e-4
    net.cpu()
    assert relative(line(x), wanted) < 1e-6


@torch.no_grad()
def test_a_shared_line_has_no_weights(net: Any) -> None:
    """Beside the scales and shifts of the norms in use, and the tables they were computed from."""
    plan, x = net.plan("min"), torch.randn(2, 3, 16, 16)
    line = net.fused(plan, share=True)
    line(x)
    table, _, sides = line.norms.known
    channels = sum(scale.numel() for scale, _ in sides)
    assert table.numel() == 4 * channels
    assert all(not isinstance(part, torch.Tensor) for piece in line.pieces for part in piece)
