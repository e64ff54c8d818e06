"""Static specs against torchvision's own modules: the same parameters, the same MACs, and with the same weights the same
answers to the same images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from tests.codegen.projects import compiled, project
from tests.codegen.test_models import relative, scramble

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mobilenet_v2": models.mobilenet_v2,
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "resnext50_32x4d": models.resnext50_32x4d,
    "wide_resnet50_2": models.wide_resnet50_2,
}


def counted(net: nn.Module, side: int) -> int:
    """MACs of one image, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, 3, side, side, device="meta"))
    flops: int = counter.get_total_flops()
    return flops // 2


def hand_over(theirs: nn.Module, ours: nn.Module) -> None:
    """Gives ours the weights and statistics of theirs: both hold their layers in the order of execution."""
    values = list(theirs.state_dict().values())
    names = list(ours.state_dict())
    assert len(values) == len(names)
    ours.load_state_dict(dict(zip(names, values, strict=True)))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_torchvisions(name: str, tmp_path: Path) -> None:
    make = project(compiled(name), tmp_path).model.Model
    with torch.device("meta"):
        ours, theirs = make().eval(), NETWORKS[name]().eval()
    assert counted(ours, 224) == counted(theirs, 224)
    ours, theirs = ours.to_empty(device="cpu"), theirs.to_empty(device="cpu")
    scramble(theirs)
    hand_over(theirs, ours)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert relative(ours(images), theirs(images)) <= 1e-5
