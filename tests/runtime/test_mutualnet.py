"""MutualNet's training step against a reference written out by hand, and the text of its project."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.mutualnet import step as mutualnet
from specc.outputs.classes.task import Classes
from specc.pipeline import compile_project, load
from specc.runtime.run.distributed import World
from specc.runtime.train.trainer import Trainer
from specc.source import Source

CHOICES: dict[str, tuple[Any, ...]] = {"resolution": (2, 3, 4), "width": (2, 4, 8)}
IMAGES = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


class SizedSpace:
    """A width and an image size."""

    @property
    def CHOICES(self) -> Mapping[str, Sequence[Any]]:
        return CHOICES

    @property
    def SIZE(self) -> int:
        return 9

    @property
    def SPACE(self) -> None:
        return None

    def every(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(CHOICES, options, strict=True)) for options in itertools.product(*CHOICES.values()))

    def canonical(self, at: Mapping[str, Any]) -> dict[str, Any]:
        return {name: at[name] for name in CHOICES}

    def largest(self) -> dict[str, Any]:
        return {"resolution": 4, "width": 8}

    def smallest(self) -> dict[str, Any]:
        return {"resolution": 2, "width": 2}

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {name: rng.choice(options) for name, options in CHOICES.items()}

    def macs(self, at: Mapping[str, Any]) -> int:
        return int(at["resolution"] ** 2 * 9 * at["width"] + 3 * at["width"])

    def params(self, at: Mapping[str, Any]) -> int:
        return int(12 * at["width"] + 3)


class SizedNet(nn.Module):
    """Resize, conv 3x3 of `width` channels, mean over the map, linear. A plan is an assignment."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.last = nn.Linear(8, 3)

    def plan(self, at: Mapping[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(**at)

    def forward(self, images: Tensor, plan: Any) -> Tensor:
        size = (plan.resolution, plan.resolution)
        small = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        x = F.relu(F.conv2d(small, self.conv.weight[: plan.width], padding=1)).mean(dim=(2, 3))
        return F.linear(x, self.last.weight[:, : plan.width], self.last.bias)


def net_of(seed: int) -> SizedNet:
    torch.manual_seed(seed)
    return SizedNet()


def test_only_the_largest_always_sees_full_images() -> None:
    space, rng = SizedSpace(), random.Random(0)
    steps = [mutualnet.subnets_of_a_step(space, rng, 4, ("resolution",)) for _ in range(600)]
    assert all(step[0] == space.largest() for step in steps)
    assert all(step[-1]["width"] == 2 for step in steps)
    for place in (1, 2, 3):
        sizes = Counter(step[place]["resolution"] for step in steps)
        assert stats.chisquare([sizes[size] for size in (2, 3, 4)]).pvalue > 1e-3
    assert len({step[1]["width"] for step in steps}) == 3
    assert [len(step) for step in steps] == [4] * 600


def test_a_step_by_hand() -> None:
    """The largest learns the labels, the others its answers on the small images; unused channels stay as they are."""
    net, reference = net_of(3), net_of(3)
    optimizer = SGD(net.parameters(), lr=0.1)
    schedule = LambdaLR(optimizer, lambda step: 1.0)
    trainer = Trainer(net, optimizer, schedule, Classes(0), World(0, 1, torch.device("cpu")))
    ats: list[dict[str, Any]] = [
        {"resolution": 4, "width": 8},
        {"resolution": 3, "width": 4},
        {"resolution": 2, "width": 2},
    ]
    losses = mutualnet.step(trainer, IMAGES, LABELS, [net.plan(at) for at in ats])
    trainer.update()

    answers = reference(IMAGES, reference.plan(ats[0]))
    teacher = answers.detach().softmax(dim=1)
    wanted = [F.cross_entropy(answers, LABELS)]
    for at in ats[1:]:
        said = reference(IMAGES, reference.plan(at)).log_softmax(dim=1)
        wanted.append((teacher * (teacher.log() - said)).sum(dim=1).mean())
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    start = net_of(3)
    for mine, theirs, before in zip(net.parameters(), reference.parameters(), start.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(mine, before - 0.1 * theirs.grad, rtol=0, atol=1e-6)


SPEC = """
supernet tiny {
  input image(1, resolution=4..8 step 2);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
"""


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("mutualnet(subnets=3)", "losses = mutualnet.step(trainer, images, labels, plans)\n"),
        ("mutualnet(temperature=2)", "losses = mutualnet.step(trainer, images, labels, plans, temperature=2)\n"),
    ],
)
def test_the_project_draws_resolutions_and_brings_the_sandwich_along(method: str, line: str) -> None:
    files = compile_project(load(Source("tiny.specc", SPEC.replace("METHOD", f"method {method}"))))
    assert 'RESOLUTIONS = ["resolution"]' in files["train.py"]
    assert line in files["train.py"]
    assert "from us_net import sandwich, step" in files["mutualnet.py"]
    assert "us_net.py" in files
