"""Static specs against torchvision's own modules: the same parameters, the same MACs, and with the same weights the
same answers to the same images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from specc.cost import cost
from specc.pipeline import Compiled
from tests.helpers.comparing import counted, hand_over, relative, scramble
from tests.helpers.projects import compiled, from_text, project

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "efficientnet_b0": models.efficientnet_b0,
    "mobilenet_v2": models.mobilenet_v2,
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "resnext50_32x4d": models.resnext50_32x4d,
    "wide_resnet50_2": models.wide_resnet50_2,
}


def assert_same(spec: Compiled, reference: Callable[[], nn.Module], folder: Path, side: int = 224) -> None:
    """MACs at the side they are published at, answers at one that is quicker."""
    make = project(spec, folder).model.Model
    with torch.device("meta"):
        ours, theirs = make().eval(), reference().eval()
    assert counted(ours, (3, side, side)) == counted(theirs, (3, side, side)) == cost(spec.graph, {}).macs
    ours, theirs = ours.to_empty(device="cpu").double(), theirs.to_empty(device="cpu").double()
    scramble(theirs)
    hand_over(theirs, ours)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    with torch.no_grad():
        assert relative(ours(images), theirs(images)) <= 1e-12


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_torchvisions(name: str, tmp_path: Path) -> None:
    assert_same(compiled(name), NETWORKS[name], tmp_path)


MOBILENET_V3_LARGE = """
import std.mobilenet_v3
supernet mobilenet_v3_large {
  input image(3, 224, 224); classes 1000
  norm batch(eps=1e-3, momentum=0.01)
  stem { conv(16, kernel=3, stride=2); norm; hswish }
  stage s1 { mb_v3(16, expand=1, se=no, act=relu) }
  stage s2 { mb_v3(24, expand=4, stride=2, se=no, act=relu); mb_v3(24, expand=3, se=no, act=relu) }
  stage s3 {
    mb_v3(40, kernel=5, expand=3, stride=2, act=relu)
    repeat 2 { mb_v3(40, kernel=5, expand=3, act=relu) }
  }
  stage s4 {
    mb_v3(80, stride=2, se=no); mb_v3(80, expand=2.5, se=no)
    repeat 2 { mb_v3(80, expand=2.3, se=no) }
  }
  stage s5 { repeat 2 { mb_v3(112) } }
  stage s6 { mb_v3(160, kernel=5, stride=2); repeat 2 { mb_v3(160, kernel=5) } }
  head {
    conv(960, kernel=1); norm; hswish; pool(avg)
    linear(1280); hswish; dropout(0.2); linear(classes)
  }
}
"""


def test_mobilenet_v3_large_is_torchvisions(tmp_path: Path) -> None:
    assert_same(from_text(MOBILENET_V3_LARGE), models.mobilenet_v3_large, tmp_path)
