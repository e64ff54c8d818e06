"""The largest sub-networks of elastic specs against the networks of torchvision and timm whose elastic forms they are:
the same parameters, the same MACs, and with the same weights the same answers to the same images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import segmentation

from specc.cost import cost
from specc.ir.graph import Graph
from specc.pipeline import Compiled
from tests.helpers.comparing import counted, relative, scramble
from tests.helpers.folders import SPECS
from tests.helpers.projects import compiled, extremes, from_text, image_shape, plain, project
from tests.helpers.published import DsCnn, Edsr, SeriesFcn, TableMlp, UNet


def mobilenet_v4() -> nn.Module:
    timm = pytest.importorskip("timm")
    net: nn.Module = timm.create_model("mobilenetv4_conv_small", pretrained=False)
    return net


class Segmenter(nn.Module):
    """A network of torchvision that gives the logits of each pixel in a dict."""

    def __init__(self, make: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.net = make(weights=None, weights_backbone=None, num_classes=21)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)["out"]
        return found


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convnext_tiny_adn": models.convnext_tiny,
    "deeplabv3_resnet50": lambda: Segmenter(segmentation.deeplabv3_resnet50),
    "ds_cnn": DsCnn,
    "edsr_baseline": Edsr,
    "fcn_resnet50_adn": lambda: Segmenter(segmentation.fcn_resnet50),
    "mobilenet_v4_small": mobilenet_v4,
    "series_fcn": SeriesFcn,
    "table_mlp": TableMlp,
    "unet": UNet,
}


SLOW = ("deeplabv3_resnet50", "fcn_resnet50_adn", "mobilenet_v4_small")
"""Those of many layers on large images, and that of a library which the tests can do without."""


def in_order(net: nn.Module) -> list[Tensor]:
    """The state, layer by layer in the order of execution: what a module itself holds scales what its layers give."""
    found: list[Tensor] = []
    for child in net.children():
        found += in_order(child)
    return [*found, *net.state_dict(keep_vars=True).values()] if not found else [*found, *net.parameters(recurse=False)]


def hand_over(theirs: nn.Module, ours: nn.Module, graph: Graph) -> None:
    """Gives ours the weights of theirs, whatever either calls them: a linear layer on pixels is a 1x1 convolution."""
    ops = {op.name: place for place, op in enumerate(graph.ops)}
    places = dict(sorted(ours.state_dict().items(), key=lambda item: ops[item[0].rpartition(".")[0]]))
    values = in_order(theirs)
    assert [place.squeeze().shape for place in places.values()] == [value.squeeze().shape for value in values]
    ours.load_state_dict({n: v.detach().reshape(p.shape) for (n, p), v in zip(places.items(), values, strict=True)})


def of_any_side(name: str) -> Compiled:
    """A spec whose network takes images as they come: none that it brings to a side of its own."""
    text = (SPECS / f"{name}.specc").read_text(encoding="utf-8")
    text = text.replace("method mutualnet", "method us_net")
    return from_text(re.sub(r"resolution=\d+\.\.(\d+) step \d+", r"\1, \1", text))


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NETWORKS])
def test_the_largest_sub_network_is_the_published_network(name: str, tmp_path: Path) -> None:
    """MACs at the side they are published at, answers at one that is quicker."""
    found = cost(compiled(name).graph, extremes(compiled(name).graph)[0])
    spec = of_any_side(name)
    largest = extremes(spec.graph)[0]
    with torch.device("meta"):
        net, theirs = project(spec, tmp_path).model.Model().eval(), NETWORKS[name]().eval()
    extracted = net.extract(net.plan(plain(spec.graph, largest)))
    shape = image_shape(spec.graph, largest)
    assert counted(extracted, shape) == counted(theirs, shape) == found.macs
    assert sum(p.numel() for p in theirs.parameters()) == found.params
    ours, theirs = extracted.to_empty(device="cpu").double(), theirs.to_empty(device="cpu").double()
    scramble(theirs)
    hand_over(theirs, ours, spec.graph)
    images = torch.randn(
        2,
        shape[0],
        *(min(side, 64) for side in shape[1:]),
        generator=torch.Generator().manual_seed(0),
        dtype=torch.double,
    )
    with torch.no_grad():
        assert relative(ours(images), theirs(images)) <= 1e-12
