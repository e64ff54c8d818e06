"""Evaluating: what is counted, and that calibrated statistics are the ones that are used."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm1d
from specc.outputs.classes.task import Classes
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Plan
from specc.runtime.run.distributed import World
from specc.runtime.train.calibrate import calibrated
from specc.runtime.train.evaluate import evaluate

WORLD = World(0, 1, torch.device("cpu"))


class Normed(ElasticNet):
    """Linear(4, width), a norm, Linear(width, 3); the width is 2 or 6."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.norm = BatchNorm1d(6)
        self.last = nn.Linear(6, 3)

    def plan(self, assignment: Mapping[str, object] | str = "max", outputs: object = None) -> Plan:
        width = 2 if assignment == "min" else 6
        return Plan({"width": width, "norm": self.norm.cut(width)}, chosen=(("width", width),))

    def forward(self, images: Tensor, plan: Plan) -> Tensor:
        n = plan.width
        x = F.linear(images.flatten(1), self.first.weight[:n], self.first.bias[:n])
        return F.linear(F.relu(self.norm(x, plan.norm)), self.last.weight[:, :n], self.last.bias)


@pytest.fixture
def net() -> Normed:
    torch.manual_seed(0)
    return Normed()


def batches(count: int, size: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(4)
    images = 3 + 2 * torch.randn(count, 4, 1, 1, generator=generator)
    labels = torch.randint(0, 3, (count,), generator=generator)
    return list(zip(torch.split(images, size), torch.split(labels, size), strict=True))


@pytest.mark.parametrize("name", ["max", "min"])
def test_a_calibrated_sub_network_normalises_with_the_statistics_of_all_images(net: Normed, name: str) -> None:
    """Whatever the batches, uneven ones too: it answers as the network in train mode does on all images at once."""
    plan = net.plan(name)
    fitted = calibrated(net, plan, batches(50, 16))
    images = torch.cat([batch for batch, _ in batches(50, 50)])
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.eval()
    answers = net(images, fitted)
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    hidden = F.linear(images.flatten(1), net.first.weight[: plan.width], net.first.bias[: plan.width])
    var, mean = torch.var_mean(hidden, dim=0, correction=1)
    hidden = (hidden - mean) / torch.sqrt(var + net.norm.eps)
    wanted = F.linear(F.relu(hidden), net.last.weight[:, : plan.width], net.last.bias)
    torch.testing.assert_close(answers, wanted, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(net(images, plan), wanted, atol=1e-2)


def test_without_images_a_plan_stays_as_it_is(net: Normed) -> None:
    plan = net.plan()
    assert calibrated(net, plan, None) is plan
    assert calibrated(net, None, batches(4, 4)) is None


def test_evaluation_counts_every_image_alike_and_leaves_the_mode(net: Normed) -> None:
    plan = calibrated(net, net.plan(), batches(50, 16))
    net.train()
    score = evaluate(net, plan, batches(50, 16), Classes(3), WORLD)
    assert net.training
    net.eval()
    images, labels = batches(50, 50)[0]
    logits = net(images, plan).detach()
    assert score.images == 50
    assert score.value == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert score.loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    assert evaluate(net, plan, [], Classes(3), WORLD).images == 0
