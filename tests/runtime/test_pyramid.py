"""A generated network as the backbone of torchvision's detectors: a training step, an inference, skips in between."""

from __future__ import annotations

import copy
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import FasterRCNN, MaskRCNN

from specc.codegen.backbone import pyramid_stages
from specc.cost.report import cost
from tests.helpers.projects import compiled, from_text, importing, project

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
    """A small network, and its project's module elastic.net.pyramid."""
    torch.manual_seed(0)
    made = project(from_text(SPEC.replace("{settings}", settings).replace("{method}", method)), folder)
    with made.known():
        pyramid = importlib.import_module("elastic.net.pyramid")
        sys.modules.pop("elastic.net.pyramid")
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


@pytest.mark.parametrize("kind", [FasterRCNN, MaskRCNN])
def test_one_step_of_adaptive_depth_is_what_it_is_by_hand(kind: Any, tmp_path: Path) -> None:
    """Losses and all gradients, with the pyramid's channels as distributions p of the super-net, q of the base-net:
    alpha (sum of the detector's losses) + (1 - alpha) sum over stages, mean over images, of sum p log(p / q).

    The pyramid's last level is a subsample of the fourth stage's, which would count twice."""
    backbone, pyramid = backbone_of(tmp_path)
    detector = sizes(kind, backbone).train()
    twin = copy.deepcopy(detector)
    images, targets = scene()
    torch.manual_seed(1)  # the detector samples boxes
    taught, learned = pyramid.adaptive_step(detector, images, targets, alpha=0.3)

    torch.manual_seed(1)
    twin.backbone.use("max")
    losses = twin(images, targets)
    batch = twin.transform(images)[0].tensors
    shown = {name: level.detach().mean((2, 3)).softmax(1) for name, level in twin.backbone(batch).items()}
    twin.backbone.use("min")
    said = {name: level.mean((2, 3)).softmax(1) for name, level in twin.backbone(batch).items()}
    assert list(shown) == ["0", "1", "2", "3", "pool"]
    stages = [(shown[name], said[name]) for name in "0123"]
    divergence = sum((p * (p / q).log()).sum() / len(images) for p, q in stages)
    by_hand = 0.3 * sum(losses.values()), 0.7 * divergence
    torch.testing.assert_close(taught, by_hand[0].detach())
    torch.testing.assert_close(learned, by_hand[1].detach())
    assert float(learned) > 1e-6
    (by_hand[0] + by_hand[1]).backward()
    wanted = {name: parameter.grad for name, parameter in twin.named_parameters()}
    for name, parameter in detector.named_parameters():
        if wanted[name] is None:
            assert parameter.grad is None, name
        else:
            torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-3, atol=1e-5)


def test_gradients_reach_both_banks_and_the_base_net_teaches_no_skipped_path(tmp_path: Path) -> None:
    backbone, pyramid = backbone_of(tmp_path)
    pyramid.adaptive_step(sizes(FasterRCNN, backbone).train(), *scene())
    net = backbone.net
    for stage in (net.s1, net.s2, net.s3, net.s4):
        # bank 1 is the super-net's, bank 0 the base-net's
        assert all(float(bank.weight.grad.abs().sum()) > 0 for bank in (*stage.b1.norm1, *stage.b1.norm2))
        assert float(stage.b2.conv1.weight.grad.abs().sum()) > 0
    untrained = [name for name, parameter in backbone.named_parameters() if parameter.grad is None]
    assert untrained == ["net.head.linear.weight", "net.head.linear.bias"]


def test_the_base_net_sees_the_images_as_the_super_net_did(tmp_path: Path) -> None:
    """Detectors may resize at random."""
    backbone, pyramid = backbone_of(tmp_path)
    detector = FasterRCNN(backbone, num_classes=3, min_size=(32, 48, 64, 96, 128), max_size=128).train()
    seen: list[torch.Tensor] = []
    backbone.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    for _ in range(6):
        pyramid.adaptive_step(detector, *scene())
    assert all(torch.equal(first, second) for first, second in zip(seen[::2], seen[1::2], strict=True))
    assert len({images.shape for images in seen}) > 1


def test_what_the_projects_readme_shows_runs(tmp_path: Path) -> None:
    made = project(from_text(SPEC.replace("{settings}", "").replace("{method}", "adn")), tmp_path)
    text = (tmp_path / "README.md").read_text()
    (shown,) = re.findall(r"^## Detectors\n+```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert 'return_layers=["s1", "s2", "s3", "s4"]' in shown
    with importing(made.folder):
        names: dict[str, Any] = {}
        exec(compile(shown, "README.md", "exec"), names)
    assert names["found"].shape[1] == 4
    assert names["backbone"].net.s1.b1.norm1[0].weight.grad is not None


@pytest.mark.parametrize(
    ("name", "stages"),
    [("resnet50_adn", "s1 s2 s3 s4"), ("mobilenet_v2_adn", "s2 s3 s5 s7"), ("mobilenet_v2_us", "s2 s3 s5 s7")],
)
def test_the_stages_that_detectors_read(name: str, stages: str) -> None:
    """The last ones of each size."""
    assert pyramid_stages(compiled(name).graph) == tuple(stages.split())


def test_no_stages_for_detectors() -> None:
    """Grey images, tokens instead of maps, and fewer than four sizes of maps."""
    for name in ("digits", "vit_b_32_adn", "resnext29_inclusive"):
        assert pyramid_stages(compiled(name).graph) == ()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FasterRCNN, MaskRCNN])
@pytest.mark.parametrize("name", ["resnet50_adn", "mobilenet_v2_adn", "mobilenet_v2_us"])
def test_paper_size_backbones_learn_and_answer(kind: Any, name: str, tmp_path: Path) -> None:
    """On small images: every parameter that the stages need has a gradient, in whichever bank it is."""
    torch.manual_seed(0)
    made = project(compiled(name), tmp_path)
    with made.known():
        pyramid = importlib.import_module("elastic.net.pyramid")
        sys.modules.pop("elastic.net.pyramid")
    backbone = pyramid.Pyramid(made.model.Model(), pyramid_stages(compiled(name).graph), out_channels=32)
    detector = sizes(kind, backbone).train()
    images, targets = scene()
    losses = pyramid.adaptive_step(detector, images, targets)
    assert all(bool(loss.isfinite()) for loss in losses)
    untrained = [name for name, parameter in backbone.named_parameters() if parameter.grad is None]
    assert all(name.startswith("net.head.") for name in untrained)
    detector.eval()
    for at in ("max", "min"):
        backbone.use(at)
        with torch.no_grad():
            found = detector(images)
        assert ("masks" in found[1]) == (kind is MaskRCNN)


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


def test_a_pyramid_leaves_modes_as_they_are_and_a_failed_step_no_hook(tmp_path: Path) -> None:
    net, pyramid = network(tmp_path)
    net.train()
    net.stem.eval()  # as detectors freeze what they do not train
    backbone = pyramid.Pyramid(net, STAGES, out_channels=16)
    assert net.s1.training
    assert not any(module.training for module in net.stem.modules())
    with pytest.raises(ValueError, match="shape"):
        pyramid.adaptive_step(sizes(FasterRCNN, backbone), [torch.rand(64, 64)], scene()[1][:1])
    assert not backbone._forward_hooks


def test_a_stage_that_is_none(tmp_path: Path) -> None:
    net, pyramid = network(tmp_path)
    with pytest.raises(ValueError, match="no output 's9'"):
        pyramid.Pyramid(net, ["s9"])
    with pytest.raises(ValueError, match="the plan lacks the outputs s1, s2"):
        pyramid.Pyramid(net, ["s1", "s2"]).use(net.plan("min"))


def test_what_skipping_saves_a_detector_at_800_by_1280(tmp_path: Path) -> None:
    """FACTS: 31.2 G MACs of the backbone (the paper: 31.4), counted on the graph and by torch."""
    spec = compiled("resnet50_adn", {"image_height": "800", "image_width": "1280"})
    counted = [cost(spec.graph, {c.name: kept for c in spec.graph.choices}).macs for kept in (1, 0)]
    assert (counted[0] - counted[1]) / 1e9 == pytest.approx(31.2, abs=0.05)

    made = project(spec, tmp_path)
    with made.known():
        pyramid = importlib.import_module("elastic.net.pyramid")
        sys.modules.pop("elastic.net.pyramid")
    with torch.device("meta"):
        backbone = pyramid.Pyramid(made.model.Model(), STAGES).eval()
        images = torch.empty(1, 3, 800, 1280)
    measured = []
    for at in ("max", "min"):
        backbone.use(at)
        with FlopCounterMode(display=False) as counter:
            backbone(images)
        measured.append(counter.get_total_flops() // 2)
    assert measured[0] - measured[1] == counted[0] - counted[1]
