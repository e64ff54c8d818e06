"""Layers with a number for each channel, and norms over a channel, a pixel or neighbouring channels: sliced, extracted
and static code agree, and each is what torch, or its formula, says it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.affine.torch import ElasticAffine, ElasticOffset
from specc.ops.layer_scale.torch import ElasticLayerScale
from specc.ops.prelu.torch import ElasticPReLU
from specc.runtime.train.optim import fill, parameter_groups
from tests.helpers.checks import check, text_of
from tests.helpers.comparing import relative
from tests.helpers.projects import from_text, project

STAGES = {
    "layer scale": "residual { conv(in, kernel=3); layer_scale }; residual { conv(in, kernel=1); layer_scale(0.1) }",
    "prelu": "conv(12, kernel=3); prelu; conv(12, kernel=3); prelu(channels=yes); prelu(start=0.1)",
    "instance norm": "norm instance; conv(12, kernel=3); norm; norm(eps=1e-3); norm(affine=no)",
    "rms norm": "norm rms(eps=1e-6); conv(12, kernel=3); norm; relu",
    "one factor": "conv(12, kernel=3); layer_scale(0.5, channels=no); offset(channels=no)",
    "affine": "conv(12, kernel=3); affine; conv(12, kernel=1); offset; affine(start=0.5); offset(start=0.1)",
    "batch norm without a scale": "conv(12, kernel=3); norm(affine=no); relu; depthwise(kernel=3); norm(affine=no)",
    "banks without a scale": "norm batch(bank=skip, affine=no); conv(12, kernel=3); norm\n"
    "skippable { residual { conv(in, kernel=1); norm } }",
    "joined, without a scale": "concat(conv(6, kernel=3), conv(6, kernel=1)); norm(affine=no); conv(12, kernel=1)",
    "norms without a scale": "norm layer(affine=no); conv(12, kernel=3); norm; norm rms(affine=no); norm\n"
    "norm group(groups=4, affine=no); conv(12, kernel=3); norm",
    "norms without an offset": "norm layer(bias=no); conv(12, kernel=3); norm; norm group(groups=4, bias=no); norm",
    "joined, norms without a scale": "concat(conv(4, kernel=3), conv(4, kernel=1)); norm layer(affine=no); norm\n"
    "norm group(groups=4, affine=no); norm; norm group(groups=4, bias=no); norm; norm layer(bias=no); norm",
    "other banks without a scale": "norm layer(bank=skip, affine=no); conv(12, kernel=3); norm\n"
    "norm group(groups=4, bank=skip, bias=no); norm; norm rms(bank=skip, affine=no); norm\n"
    "skippable { residual { conv(in, kernel=1); norm } }",
    "constants": "residual { conv(in, kernel=3); scale_by(0.2) }; shift_by(-1); subtract_from(1)",
    "bounds": "conv(12, kernel=3); clamp(low=-1); clamp(high=0.5); clamp(-0.5, 0.25)",
    "rows": "conv(12, kernel=3); multiply(here, sigmoid(tall()))",
    "columns": "conv(12, kernel=3); pool(max, over=height)",
    "standardised weights": "standardized_conv(12, kernel=3); norm; relu\n"
    "standardized_conv(8, kernel=1, bias=yes, eps=0.1)",
    "a gain": "standardized_conv(12, kernel={3, 5}, gain=yes, gamma=1.5); relu\n"
    "standardized_conv(12, kernel=3, groups=in / 2)",
    "standardised weights of joined tensors": "concat(conv(6, kernel=3), conv(6, kernel=1))\n"
    "standardized_conv(12, kernel=3, gain=yes); add(here, concat(conv(6, kernel=3), conv(6, kernel=1)))",
    "a gate of neighbours": "x = conv(12, kernel=3); pool(avg); channel_conv(3); sigmoid; scale(x, here)",
    "a gate of joined neighbours": "x = concat(conv(4, kernel=3), conv(8, kernel=1)); pool(avg)\n"
    "channel_conv(5, bias=yes); sigmoid; scale(x, here)",
    "lowest": "conv(12, kernel=3); pad(top=1, right=1, mode=lowest); maxpool(2, stride=2)",
    "local response norm": "conv(12, kernel=3); local_response_norm(3); relu; local_response_norm(5, 1e-2, 0.5, k=2)",
    "banks": "norm rms(bank=skip); conv(12, kernel=3); norm; skippable { residual { conv(in, kernel=1); norm } }",
    "other banks": "norm instance(bank=skip); conv(12, kernel=3); norm; skippable { residual { conv(in, kernel=1) } }",
}
HEADS = {
    "tokens": "patch_embed(2, dim=16); class_token; norm rms; norm; layer_scale(0.5); prelu(channels=yes)\n"
    "take(patches); take(mean); layer_scale; prelu(channels=yes); linear(classes)",
    "affine tokens": "patch_embed(2, dim=16); affine; offset; scale_by(2); shift_by(1); clamp(low=0); take(mean)\n"
    "affine; offset; layer_scale(channels=no); linear(classes)",
    "mixed tokens": "patch_embed(2, dim=16); norm layer; x = norm\n"
    "residual { norm; token_linear(24); gelu; token_linear(16) }; linear(12); (a, b) = split(2)\n"
    "c = token_linear(from=b, bias=no); multiply(a, c); take(mean); linear(classes)",
    "vectors": "pool(avg); norm rms; norm; prelu(channels=yes); layer_scale(1); linear(classes)",
}
BLOCKS = "block tall() { pool(avg, over=width); conv(in, kernel=1) }"
SETTINGS = ("norm batch", "norm batch; width per_group 0.25..1.0 round 2")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_sliced_extracted_and_static_code_agree_on_maps(stage: str, settings: str, tmp_path: Path) -> None:
    check(text_of(f"stage {{ {STAGES[stage]} }}", settings, blocks=BLOCKS), tmp_path)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_and_on_tokens_and_vectors(head: str, settings: str, tmp_path: Path) -> None:
    check(text_of("", settings, HEADS[head]), tmp_path)


def test_standardised_weights_are_those_of_the_formula_and_made_once_for_inference(tmp_path: Path) -> None:
    """A narrow sub-network's filters have mean 0 and variance 1 of themselves."""
    text = text_of("stage { standardized_conv(12, kernel=3, gain=yes, gamma=2, eps=1e-3) }", SETTINGS[1])
    net = project(from_text(text), tmp_path).model.Model().eval()
    layer = next(layer for layer in net.modules() if hasattr(layer, "gain"))
    plan, x = net.plan({"stem.conv.width": 4, "s1.standardized_conv.width": 6}), torch.randn(2, 4, 8, 8)
    with torch.no_grad():
        layer.gain.copy_(torch.arange(12.0))
    rows = layer.weight[:6, :4].flatten(1)
    rows = (rows - rows.mean(1, True)) / (rows.square().mean(1, True) - rows.mean(1, True) ** 2 + 1e-3).sqrt()
    expected = F.conv2d(x, (rows * torch.arange(6.0)[:, None] * 2 / 36**0.5).view(6, 4, 3, 3), padding=1)
    plain = [layer for layer in net.extract(plan, fold=True).modules() if isinstance(layer, nn.Conv2d)]
    assert [type(layer) for layer in plain] == [nn.Conv2d, nn.Conv2d]
    assert relative(plain[1](x), expected) < 1e-5
    assert relative(layer(x, layer.part(4, 6)), expected) < 1e-5


SLOPES = torch.tensor([0.5, -0.3, 2.0])
NORMED = "norm {0}; norm"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("layer_scale(0.5)", lambda x: x * SLOPES[:, None, None]),
        ("prelu(channels=yes)", lambda x: F.prelu(x, SLOPES)),
        ("norm instance(eps=1e-3); norm", lambda x: F.instance_norm(x, weight=SLOPES, eps=1e-3)),
        ("norm instance(affine=no); norm", F.instance_norm),
        ("norm layer(affine=no); norm", lambda x: F.layer_norm(x.movedim(1, -1), (3,)).movedim(-1, 1)),
        ("norm layer(bias=no); norm", lambda x: F.layer_norm(x.movedim(1, -1), (3,), SLOPES).movedim(-1, 1)),
        ("norm rms(affine=no); norm", lambda x: F.rms_norm(x.movedim(1, -1), (3,), eps=1e-5).movedim(-1, 1)),
        ("norm group(groups=3, affine=no); norm", lambda x: F.group_norm(x, 3)),
        ("norm group(groups=3, bias=no); norm", lambda x: F.group_norm(x, 3, SLOPES)),
        ("norm batch(affine=no); norm", lambda x: x / (1 + 1e-5) ** 0.5),
        ("affine", lambda x: x * SLOPES[:, None, None]),
        ("offset", lambda x: x + SLOPES[:, None, None]),
        ("scale_by(-0.25)", lambda x: x * -0.25),
        ("shift_by(3)", lambda x: x + 3),
        ("subtract_from(1)", lambda x: 1 - x),
        ("clamp(low=0.5)", lambda x: x.clamp(min=0.5)),
        ("clamp(high=0.5)", lambda x: x.clamp(max=0.5)),
        ("clamp(-0.5, 0.5)", lambda x: x.clamp(-0.5, 0.5)),
        ("pool(avg, over=height)", lambda x: F.adaptive_avg_pool2d(x, (1, None))),
        ("pool(max, over=width)", lambda x: x.amax(3, keepdim=True)),
        ("pad(1, mode=lowest); maxpool(2)", lambda x: F.max_pool2d(F.pad(x, (0, 0, 1, 0), value=-1e9), 2)),
        ("norm rms(eps=1e-3); norm", lambda x: x / (x.square().mean(1, True) + 1e-3).sqrt() * SLOPES[:, None, None]),
        (
            "local_response_norm(3, 0.1, 0.75, k=2)",
            lambda x: (
                x / (2 + 0.1 / 3 * F.conv2d(x.square(), torch.ones(3, 3).tril(1).triu(-1)[:, :, None, None])) ** 0.75
            ),
        ),
    ],
    ids=lambda value: value.split("(")[0] if isinstance(value, str) else "",
)
def test_each_is_what_its_formula_says(written: str, expected: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    text = f"supernet net {{ input image(3, 4, 4); classes 3; stem {{ {written} }}; head {{ pool(avg) }} }}"
    net = project(from_text(text), tmp_path).model.Model().eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(SLOPES if name.endswith("weight") else torch.zeros(3))
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) + 0.5
    torch.testing.assert_close(net(x), expected(x).mean((2, 3)))


LAYERS = {
    "layer scale": ElasticLayerScale(4),
    "prelu": ElasticPReLU(4),
    "affine": ElasticAffine(4),
    "offset": ElasticOffset(4),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_recipes_leave_them_as_norms(layer: nn.Module) -> None:
    """Neither weight decay, where norms are spared, nor an `init` reaches them."""
    before = {name: parameter.clone() for name, parameter in layer.named_parameters()}
    for name, parameter in layer.named_parameters():
        fill(layer, name, parameter.data, {"name": "trunc_normal", "std": 0.02})
        assert torch.equal(parameter, before[name])
    (group,) = parameter_groups(layer, 0.1, ("norm",))
    assert group["weight_decay"] == 0


def test_they_begin_as_they_are_told_to() -> None:
    assert torch.equal(ElasticLayerScale(3, start=0.5).weight, torch.full((3,), 0.5))
    assert torch.equal(ElasticPReLU(3).weight, torch.full((3,), 0.25))
