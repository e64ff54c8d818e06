"""The texts of torchvision's networks: the same network, and no longer than a person's."""

from __future__ import annotations

import pytest

from specc.importing.network import Network
from specc.importing.recognise import recognise
from specc.importing.sources import load_source
from specc.importing.text.write import write
from specc.importing.trace import trace
from tests.helpers.imported import same_network

LINES = {
    "alexnet": 20,
    "convnext_tiny": 45,
    "densenet121": 21,
    "efficientnet_b0": 36,
    "googlenet": 51,
    "inception_v3": 100,
    "mnasnet1_0": 36,
    "mobilenet_v2": 37,
    "mobilenet_v3_large": 45,
    "regnet_y_400mf": 36,
    "resnet50": 21,
    "resnext50_32x4d": 30,
    "shufflenet_v2_x1_0": 36,
    "squeezenet1_1": 30,
    "vgg11_bn": 21,
    "vit_b_16": 22,
}
"""The most lines of a text; what a person writes, or one and a half times that, where somebody has."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LINES)
def test_a_network_of_torchvision(name: str) -> None:
    network = recognise(trace(load_source(f"torchvision:{name}"), ((3, 224, 224),)).traced)
    assert isinstance(network, Network)
    written = write(network)
    assert not same_network(network, written)
    assert len(written.text.splitlines()) <= LINES[name]
