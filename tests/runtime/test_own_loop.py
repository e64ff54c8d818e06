"""An elastic network in training loops that know nothing of it: six lines of one's own, torchvision's detectors, a
trainer whose loss is overridden."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from tests.helpers.parts import part
from tests.helpers.projects import from_text, project

SPEC = """
supernet small {
  input image(3, 32, 32); classes 4
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { conv(16, kernel={3, 5}, stride=2); norm; relu }
  stage s2 { conv(32, kernel=3, stride=2); norm; relu; skippable keep { residual { conv(32, kernel=3); norm } } }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=4)
"""


def made(tmp_path: Path) -> tuple[Any, Any, Any]:
    """A network, and its project's `draws` and `pyramid`."""
    torch.manual_seed(0)
    found = project(from_text(SPEC), tmp_path)
    return found.model.Model(), part(found, "train.draws").draws, part(found, "net.pyramid")


def batches(count: int = 2) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(4, 3, 32, 32, generator=generator), torch.randint(4, (4,), generator=generator))
        for _ in range(count)
    ]


def test_six_lines_train_the_sandwich(tmp_path: Path) -> None:
    """The gradient of a step is the sum of those of its four sub-networks, each alone."""
    net, draws, _ = made(tmp_path)
    twin = copy.deepcopy(net)
    ((images, targets),) = batches(1)
    plans = []
    for plan in draws(net, random.Random(3)):
        torch.autograd.backward(F.cross_entropy(net(images, plan), targets))
        plans.append(plan)
    assert [plans[0].assignment, plans[-1].assignment] == [net.plan("max").assignment, net.plan("min").assignment]
    rng = random.Random(3)
    space = net.planner.space
    assert [plan.assignment for plan in plans[1:3]] == [net.plan(space.draw(rng)).assignment for _ in range(2)]
    total: Any = sum(F.cross_entropy(twin(images, twin.plan(plan.assignment)), targets) for plan in plans)
    total.backward()
    for own, other in zip(net.parameters(), twin.parameters(), strict=True):
        assert own.grad is not None
        torch.testing.assert_close(own.grad, other.grad)


def test_a_plan_is_in_use_while_it_is_handed_out(tmp_path: Path) -> None:
    """Also where the loop is left in the middle, the largest one is in use afterwards."""
    net, draws, _ = made(tmp_path)
    net.eval()
    ((images, _),) = batches(1)
    for plan in draws(net, random.Random(0)):
        assert torch.equal(net(images), net(images, plan))
    assert torch.equal(net(images), net(images, net.plan("max")))
    step = draws(net, random.Random(0), subnets=2)
    next(step), next(step)
    assert torch.equal(net(images), net(images, net.plan("min")))
    step.close()
    assert torch.equal(net(images), net(images, net.plan("max")))
    with pytest.raises(ValueError, match="two sub-networks, not 1"):
        next(draws(net, random.Random(0), subnets=1))


def test_any_module_is_a_teacher(tmp_path: Path) -> None:
    """Distilled from a network that is none of ours, every sub-network comes nearer to it."""
    net, draws, _ = made(tmp_path)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)).eval()
    optimizer, rng = torch.optim.Adam(net.parameters(), 3e-3), random.Random(0)
    ((images, _),) = batches(1)
    with torch.no_grad():
        wanted = teacher(images).log_softmax(dim=1)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        found = []
        for plan in draws(net, rng, subnets=3):
            said = net(images, plan).log_softmax(dim=1)
            loss: Any = F.kl_div(said, wanted, reduction="batchmean", log_target=True)
            loss.backward()
            found.append(loss.item())
        optimizer.step()
        losses.append(found)
    assert all(last < 0.9 * first for first, last in zip(losses[0], losses[-1], strict=True))


def detector_of(kind: Any, backbone: nn.Module) -> nn.Module:
    """torchvision's, for two stages and the map that is pooled from the last."""
    sizes: dict[str, Any] = {"num_classes": 3, "min_size": 32, "max_size": 32}
    squares = tuple((size,) for size in (8, 16, 24))
    ratios = ((1.0,),) if kind is FCOS else ((0.5, 1.0, 2.0),)
    anchors = AnchorGenerator(squares, ratios * 3)
    name = "rpn_anchor_generator" if kind is FasterRCNN else "anchor_generator"
    detector: nn.Module = kind(backbone, **sizes, **{name: anchors})
    return detector


@pytest.mark.parametrize("kind", [RetinaNet, FCOS, FasterRCNN])
def test_torchvisions_detectors_train_every_sub_network(kind: Any, tmp_path: Path) -> None:
    """Two steps of torchvision's loop, `losses = model(images, targets)`: each sub-network's loss, all weights."""
    net, draws, pyramid = made(tmp_path)
    backbone = pyramid.Pyramid(net, ["s1", "s2"], out_channels=32)
    detector = detector_of(kind, backbone).train()
    optimizer, rng = torch.optim.SGD(detector.parameters(), 1e-3), random.Random(0)
    generator = torch.Generator().manual_seed(2)
    before = copy.deepcopy(net.state_dict())
    for _ in range(2):
        images = [torch.rand(3, 32, 32, generator=generator) for _ in range(2)]
        corners = torch.rand(2, 2, 2, generator=generator) * 14
        boxes = torch.cat([corners, corners + 8], dim=2)
        targets = [{"boxes": own, "labels": torch.tensor([1, 2])} for own in boxes]
        optimizer.zero_grad()
        seen = []
        for plan in draws(backbone, rng):
            losses = detector(images, targets)
            sum(losses.values()).backward()
            seen.append((plan.assignment["width"], [loss.item() for loss in losses.values()]))
        body = [(name, p.grad) for name, p in net.named_parameters() if not name.startswith("head")]
        assert all(grad is not None and grad.abs().sum() > 0 for _, grad in body)
        optimizer.step()
        assert [seen[0][0], seen[-1][0]] == [1, 0.5]
        assert seen[0][1] != seen[-1][1]
        assert all(loss == loss for _, losses in seen for loss in losses)
    assert not torch.equal(net.state_dict()["stem.conv.weight"], before["stem.conv.weight"])
    detector.eval()
    backbone.use("min")
    assert len(detector([torch.rand(3, 32, 32)])) == 1


class Trainer:
    """What is overridden in trainers such as Hugging Face's: `compute_loss` of the model and a batch, by name."""

    def __init__(self, model: nn.Module, batches: list[dict[str, Tensor]]) -> None:
        self.model = model
        self.batches = batches
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.log: list[float] = []

    def compute_loss(self, model: nn.Module, inputs: Mapping[str, Tensor], return_outputs: bool = False) -> Any:
        outputs = model(**inputs)
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def training_step(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
        model.train()
        loss = self.compute_loss(model, inputs)
        loss.backward()
        found: Tensor = loss.detach()
        return found

    def train(self) -> None:
        for inputs in self.batches:
            self.log.append(float(self.training_step(self.model, inputs)))
            self.optimizer.step()
            self.model.zero_grad()


def test_a_trainer_whose_loss_is_overridden(tmp_path: Path) -> None:
    net, draws, _ = made(tmp_path)
    rng = random.Random(0)

    class Elastic(Trainer):
        def compute_loss(self, model: Any, inputs: Mapping[str, Tensor], return_outputs: bool = False) -> Any:
            outputs = [model(inputs["pixel_values"], plan) for plan in draws(model, rng)]
            loss = sum(F.cross_entropy(output, inputs["labels"]) for output in outputs)
            return (loss, {"logits": outputs[0]}) if return_outputs else loss

    trainer = Elastic(net, [{"pixel_values": x, "labels": y} for x, y in batches(1) * 8])
    trainer.train()
    assert trainer.log[-1] < 0.8 * trainer.log[0]
    loss, outputs = trainer.compute_loss(net.eval(), trainer.batches[0], return_outputs=True)
    assert outputs["logits"].shape == (4, 4)
    assert loss.item() > 0
