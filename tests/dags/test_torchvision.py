"""Networks of several tensors, written as specs, against torchvision's own: parameters, MACs, and with the same weights
the same answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from specc.cost import cost
from specc.pipeline import Compiled, load
from tests.helpers.comparing import counted, hand_over, relative, scramble
from tests.helpers.folders import SPECS
from tests.helpers.projects import project


def googlenet() -> nn.Module:
    net: nn.Module = models.googlenet(aux_logits=False, init_weights=False)
    return net


FOLDER = Path(__file__).parent / "specs"
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "densenet121": models.densenet121,
    "googlenet": googlenet,
    "mnasnet1_0": models.mnasnet1_0,
    "regnet_x_400mf": models.regnet_x_400mf,
    "regnet_y_400mf": models.regnet_y_400mf,
    "shufflenet_v2_x1_0": models.shufflenet_v2_x1_0,
}
PUBLISHED = {
    "densenet121": 7_978_856,
    "googlenet": 6_624_904,
    "mnasnet1_0": 4_383_312,
    "regnet_x_400mf": 5_495_976,
    "regnet_y_400mf": 4_344_144,
    "shufflenet_v2_x1_0": 2_278_604,
    "vgg11_bn": 132_868_840,
}
"""Parameters as torchvision's documentation gives them."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def spec_of(name: str) -> Compiled:
    own = FOLDER / f"{name}.specc"
    return load(own if own.exists() else SPECS / f"{name}.specc")


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_macs_are_torchvisions(name: str, tmp_path: Path) -> None:
    spec = spec_of(name)
    found = cost(spec.graph, {})
    with torch.device("meta"):
        ours = project(spec, tmp_path).model.Model().eval()
        theirs = models.vgg11_bn(init_weights=False).eval() if name == "vgg11_bn" else None
    theirs = theirs or NETWORKS[name]().eval().to("meta")
    assert found.params == PUBLISHED[name] == sum(p.numel() for p in theirs.parameters())
    assert found.params == sum(p.numel() for p in ours.parameters())
    assert found.macs == counted(theirs, (3, 224, 224)) == counted(ours, (3, 224, 224))


def test_densenet_121_is_as_published() -> None:
    found = cost(spec_of("densenet121").graph, {})
    assert (found.params, found.macs) == (7_978_856, 2_834_161_664)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_torchvisions(name: str, tmp_path: Path) -> None:
    """At images of a side that leaves remainders when it is halved, so that borders count."""
    ours = project(spec_of(name), tmp_path).model.Model().eval().double()
    theirs = NETWORKS[name]().eval().double()
    scramble(theirs)
    hand_over(theirs, ours)
    images = torch.randn(1, 3, 71, 71, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    with torch.no_grad():
        assert relative(ours(images), theirs(images)) <= 1e-12
