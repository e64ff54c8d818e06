"""A generated network as the backbone of torchvision's detectors: a training step, an inference, skips in between."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models.detection import FasterRCNN, MaskRCNN

from specc.analysis.report import cost
from specc.pipeline import load
from tests.codegen.projects import SPECS, from_text, project

SPEC = """
import std.resnet

supernet small {
  input image(3, 64, 64);  classes 10
  norm batch(bank=skip)
  {settings}
  stem { conv(8, kernel=3, stride=2); norm(bank=shared); relu }
  stage s1 { basic(8); skippable { basic(8) } }
  stage s2 { basic(16, stride=2); skippable { basic(16) } }
  stage s3 { basic(16, stride=2); skippable { basic(16) } }
  stage s4 { basic(16, stride=2); skippable { basic(16) } }
  head { pool(avg); linear(classes) }
}
method {method}
"""
STAGES = ("s1", "s2", "s3", "s4")


def network(folder: Path, settings: str = "", method: str = "adn") -> tuple[Any, Any]:
    """A small network, and its project's module elastic.pyramid."""
    torch.manual_seed(0)
    made = project(from_text(SPEC.replace("{settings}", settings).replace("{method}", method)), folder)
    with made.known():
        pyramid = importlib.import_module("elastic.pyramid")
        sys.modules.pop("elastic.pyramid")
    return made.model.Model(), pyramid


def backbone_of(folder: Path, settings: str = "", method: str = "adn") -> tuple[Any, Any]:
    net, pyramid = network(folder, settings, method)
    return pyramid.Pyramid(net, STAGES, out_channels=16), pyramid


def scene() -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    """Two images with two synthetic boxes each."""
    boxes = torch.tensor([[4.0, 4.0, 30.0, 40.0], [20.0, 10.0, 60.0, 50.0]])
    masks = torch.zeros(2, 64, 64, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.long().tolist(), strict=True):
        mask[y0:y1, x0:x1] = 1
    target = {"boxes": boxes, "labels": torch.tensor([1, 2]), "masks": masks}
    return [torch.rand(3, 64, 64) for _ in range(2)], [target, target]


def sizes(kind: Any, backbone: Any) -> Any:
    return kind(backbone, num_classes=3, min_size=64, max_size=64, box_detections_per_img=2)


@pytest.mark.parametrize("kind", [FasterRCNN, MaskRCNN])
def test_a_training_step_and_an_inference(kind: Any, tmp_path: Path) -> None:
    backbone, _ = backbone_of(tmp_path)
    detector = sizes(kind, backbone)
    images, targets = scene()
    losses = detector.train()(images, targets)
    sum(losses.values()).backward()
    assert backbone.net.s3.b2.conv1.weight.grad.abs().sum() > 0
    detector.eval()
    for at in ("max", {"s2.keep": False}, "min"):
        backbone.use(at)
        with torch.no_grad():
            found = detector(images)
        assert len(found) == 2
        assert found[0]["boxes"].shape[1] == 4
        assert ("masks" in found[0]) == (kind is MaskRCNN)


def test_skips_change_what_runs(tmp_path: Path) -> None:
    backbone = backbone_of(tmp_path)[0].eval()
    x = torch.rand(1, 3, 64, 64)
    ran: list[str] = []
    for name in ("s1.b2", "s2.b2", "s4.b2"):
        backbone.net.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    backbone.use({"s2.keep": False})
    whole = backbone(x)
    assert ran == ["s1.b2", "s4.b2"]
    assert list(whole) == ["0", "1", "2", "3", "pool"]
    assert [tuple(level.shape[1:]) for level in whole.values()] == [(16, s, s) for s in (32, 16, 8, 4, 2)]


def test_one_step_of_adaptive_depth(tmp_path: Path) -> None:
    backbone, pyramid = backbone_of(tmp_path)
    detector = sizes(FasterRCNN, backbone).train()
    images, targets = scene()
    taught, learned = pyramid.adaptive_step(detector, images, targets, alpha=0.5)
    assert float(taught) > 0
    assert float(learned) >= 0
    net = backbone.net
    banks = net.s1.b1.norm1  # bank 1 is the super-net's, bank 0 the base-net's: both were trained
    assert all(float(bank.weight.grad.abs().sum()) > 0 for bank in banks)
    assert net.s1.b2.conv1.weight.grad is not None
    # What the base-net learns, by hand: the pyramids' pooled channels as distributions.
    teacher, pupil = torch.tensor([[[[1.0]], [[3.0]]]]), torch.tensor([[[[2.0]], [[0.0]]]])
    p, q = torch.softmax(torch.tensor([1.0, 3.0]), 0), torch.softmax(torch.tensor([2.0, 0.0]), 0)
    assert float(pyramid.divergence(pupil, teacher)) == pytest.approx(float((p * (p / q).log()).sum()), rel=1e-6)


def test_narrower_stages_feed_the_same_pyramid(tmp_path: Path) -> None:
    settings = "width uniform {0.5, 1.0} round 2"
    backbone, pyramid = backbone_of(tmp_path, settings, "us_net(subnets=3)")
    backbone.eval()
    assert pyramid.widths(backbone.net, backbone.planned("min")) == {"s1": 4, "s2": 8, "s3": 8, "s4": 8}
    backbone.use("min")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        (coarsest,) = backbone.net(x, backbone.net.plan("min", outputs=("s4",))).values()
        inner = backbone.fpn.inner_blocks[3][0]
        wanted = torch.nn.functional.conv2d(coarsest, inner.weight[:, :8], inner.bias)
        layer = backbone.fpn.layer_blocks[3][0]
        wanted = torch.nn.functional.conv2d(wanted, layer.weight, layer.bias, padding=1)
        assert torch.allclose(backbone(x)["3"], wanted, atol=1e-6)


def test_a_stage_that_is_none(tmp_path: Path) -> None:
    net, pyramid = network(tmp_path)
    with pytest.raises(ValueError, match="no output 's9'"):
        pyramid.Pyramid(net, ["s9"])


def test_what_skipping_saves_a_detector_at_800_by_1280() -> None:
    """FACTS: 31.2 G MACs of the backbone (the paper: 31.4)."""
    graph = load(SPECS / "resnet50_adn.specc", {"image_height": "800", "image_width": "1280"}).graph
    whole = cost(graph, {choice.name: 1 for choice in graph.choices}).macs
    base = cost(graph, {choice.name: 0 for choice in graph.choices}).macs
    assert (whole - base) / 1e9 == pytest.approx(31.2, abs=0.05)
