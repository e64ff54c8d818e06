"""model.py is a place to work in: a static kernel, an activation, a stride, the number of blocks are one edit each."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.helpers.projects import compiled, importing, project

EDITS: dict[tuple[str, str], tuple[str, str, Callable[[Any], bool]]] = {
    # digits: the elastic MobileNetV2 of the demo
    ("digits", "kernel"): (
        "InvertedResidual(c32, c64, expand=3, stride=2)",
        "InvertedResidual(c32, c64, expand=3, stride=2, kernel=5)",
        lambda net: net.s2.b1.depthwise.weight.shape[-1] == 5 and net.s2.b2.depthwise.weight.shape[-1] == 3,
    ),
    ("digits", "activation"): (
        "y = F.relu6(self.norm2(y, p.norm2), inplace=True)",
        "y = F.silu(self.norm2(y, p.norm2))",
        lambda net: True,
    ),
    ("digits", "stride"): (
        "InvertedResidual(c32, c64, expand=3, stride=2)",
        "InvertedResidual(c32, c64, expand=3, stride=1)",
        lambda net: net.s2.b1.depthwise.stride == 1 or net.s2.b1.depthwise.stride == (1, 1),
    ),
    # digits_mutualnet: a fixed repeat
    ("digits_mutualnet", "blocks"): (
        "expand=3) for _ in range(2)))",
        "expand=3) for _ in range(4)))",
        lambda net: len(net.s1) == 4 if isinstance(net.s1, nn.Sequential) else len(list(net.s1.children())) == 4,
    ),
    # digits_densenet: rounds with a class of their own
    ("digits_densenet", "activation"): (
        "x = F.relu(self.norm2(x, p.norm2), inplace=True)",
        "x = F.gelu(self.norm2(x, p.norm2))",
        lambda net: True,
    ),
    # digits_adn: residual blocks that may be skipped
    ("digits_adn", "stride"): ("Basic(32, 64, stride=2,", "Basic(32, 64, stride=1,", lambda net: True),
    ("digits_adn", "blocks"): (
        "self.s1 = Stage(Basic(16, 16, banks=2, bank=s1_keep),",
        "self.s1 = Stage(Basic(16, 16, banks=2, bank=s1_keep), Basic(16, 16, banks=2, bank=s1_keep),",
        lambda net: len(list(net.s1.children())) == 3,
    ),
}


@pytest.mark.parametrize(("name", "what"), EDITS)
def test_one_edit_changes_a_network_that_still_trains(name: str, what: str, tmp_path: Path) -> None:
    before, after, holds = EDITS[name, what]
    made = project(compiled(name), tmp_path)
    path = made.folder / "model.py"
    text = path.read_text()
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after))
    with importing(made.folder):
        net: Any = importlib.import_module("model").Model()
    assert holds(net)
    trains(net)


def trains(net: Any) -> None:
    """Three steps on one batch make the loss smaller, for the largest and the smallest sub-network."""
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(16) % 10
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        total = 0.0
        for at in ("max", "min"):
            loss: Any = F.cross_entropy(net(images, net.plan(at)), labels)
            loss.backward()
            total += float(loss.detach())
        optimizer.step()
        losses.append(total)
    assert losses[-1] < losses[0]
