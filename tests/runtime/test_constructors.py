"""The source of a sub-network has its layers with every option: read off the layers, and compared once written."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.pipeline import bind_fully
from specc.runtime.deploy.constructors import constructor, literal, name_of_class, options
from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import part
from tests.helpers.projects import files_of, from_text, project

OPS = Path(__file__).parents[2] / "specc" / "ops"

LAYERS: tuple[nn.Module, ...] = (
    nn.AdaptiveAvgPool2d((3, 2)),
    nn.AdaptiveMaxPool2d(2),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False, divisor_override=5),
    nn.AvgPool2d((2, 2)),
    nn.BatchNorm1d(3, momentum=None),
    nn.BatchNorm2d(3, 1e-3, 0.2, affine=False, track_running_stats=False),
    nn.BatchNorm2d(3),
    nn.ChannelShuffle(2),
    nn.Conv1d(1, 1, 3, padding=1, bias=False),
    nn.Conv2d(4, 6, 3, padding="same", padding_mode="reflect", bias=False),
    nn.Conv2d(4, 6, (3, 1), (2, 1), (1, 0), (1, 2), 2),
    nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1, groups=2),
    nn.Dropout(0.3, inplace=True),
    nn.Embedding(5, 3, padding_idx=1),
    nn.Flatten(2, 3),
    nn.GELU("tanh"),
    nn.GroupNorm(2, 4, 1e-3, affine=False),
    nn.Hardtanh(-float("inf"), 2.0),
    nn.Identity(),
    nn.LayerNorm((4,), bias=False),
    nn.LayerNorm((2, 3), 1e-6, elementwise_affine=False),
    nn.LeakyReLU(0.2, inplace=True),
    nn.Linear(3, 2, bias=False),
    nn.LocalResponseNorm(3, alpha=1e-3),
    nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True, return_indices=True),
    nn.MultiheadAttention(8, 2, dropout=0.1, bias=False, batch_first=True),
    nn.PReLU(4),
    nn.PixelShuffle(2),
    nn.ReLU(inplace=True),
    nn.ReLU6(),
    nn.Softmax(dim=1),
    nn.Softplus(2.0),
    nn.Unflatten(1, (2, 3)),
    nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False),
    nn.Upsample((5, 6)),
    nn.ZeroPad2d((1, 2, 0, 3)),
)


def written(layer: nn.Module) -> str:
    pairs = (f"{name}={literal(value)}" if name else literal(value) for name, value in constructor(layer))
    return f"{name_of_class(layer)}({', '.join(pairs)})"


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_is_made_again_from_its_text_with_every_option(layer: nn.Module) -> None:
    assert options(eval(written(layer), {"nn": nn})) == options(layer)


def test_the_text_is_what_one_writes_by_hand() -> None:
    for layer, text in (
        (nn.Conv2d(1, 8, 3, padding=1, bias=False), "nn.Conv2d(1, 8, 3, padding=1, bias=False)"),
        (nn.BatchNorm2d(8), "nn.BatchNorm2d(8)"),
        (nn.BatchNorm2d(8, momentum=None), "nn.BatchNorm2d(8, momentum=None)"),
        (nn.AvgPool2d(2, 2, ceil_mode=True), "nn.AvgPool2d(2, stride=2, ceil_mode=True)"),
        (nn.LayerNorm(8, bias=False), "nn.LayerNorm(8, bias=False)"),
        (nn.Dropout(0.5), "nn.Dropout()"),
    ):
        assert written(layer) == text


class Forgetful(nn.Module):
    """A layer that does not keep what it was made with."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.part = size // 2


class Shifted(nn.Module):
    """A layer that was changed after it was made."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.offset = size, 0


def test_what_cannot_be_made_again_is_told_by_its_name() -> None:
    with pytest.raises(
        ValueError, match=r"Forgetful cannot be made again: .* missing 1 required positional argument: 'size'"
    ):
        constructor(Forgetful(4))
    changed = Shifted(4)
    changed.offset = 3
    with pytest.raises(ValueError, match="Shifted cannot be made again: offset = 3 is lost"):
        constructor(changed)
    pruned = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="ParametrizedLinear has no plain name in torch"):
        name_of_class(pruned)


EVERY = """
supernet every {
  input image(2, 29, 37);  classes 5
  norm batch
  width uniform {0.5, 1.0} round 8
  stem {
    conv(16, kernel=3, stride=2, padding=2, bias=yes); norm(eps=1e-3, momentum=0.2); relu
    pool(avg, 2, stride=2, ceil=yes)
  }
  stage s1 {
    residual { pool(avg, 3, stride=1, padding=1, ceil=yes); conv(16, kernel=3, dilation=2); norm; hswish }
    residual { maxpool(3, stride=1, padding=1, ceil=yes); depthwise(kernel={3, 5}); norm; drop_path(0.2) }
    skippable keep { residual { norm group(groups=4); conv(16, kernel=3, groups=2); norm; gelu } }
    upsample(2); maxpool(3, stride=2, padding=1, ceil=yes); dropout(0.3)
    conv(24, kernel=1, padding=0); pool(max, 3, stride=3, padding=1, ceil=yes); pool(avg, size=3)
    pool(max, size=2)
  }
  head { flatten; linear(32, bias=no); norm; sigmoid; linear(classes) }
}
method us_net(subnets=3)
"""
TOKENS = """
supernet tokens {
  input image(3, 8, 8);  classes 4
  norm layer(eps=1e-6)
  width uniform {0.5, 1.0} round 8
  stem { patch_embed(4, dim=16); class_token; position }
  stage s1 {
    residual { norm; attention(2); dropout(0.1) }
    residual { norm; linear(32); gelu; linear(16); drop_path(0.1) }
  }
  head { norm; take(class_token); linear(classes) }
}
method us_net(subnets=3)
"""
TWO_RUNS = """
supernet runs {
  input image(3, 16, 16);  classes 4
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm; relu }
  stage s1 {
    concat(here, conv(8, kernel=3, dilation=2)); pool(avg, 3, stride=2, padding=1, ceil=yes); norm
    conv(16, kernel=3, stride=2); tanh
    residual { norm group(groups=2); conv(16, kernel=3); norm }
    residual { conv(16, kernel=3, connect=triangular(4)); norm; silu }
  }
  head { pool(max); linear(classes) }
}
method us_net(subnets=3)
"""
LATER = """
supernet later {
  input image(3, 16, 16);  classes 4
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm instance(affine=no); norm; leaky_relu(slope=0.2); norm instance(affine=yes); norm }
  stage s1 {
    residual { norm instance; conv(16, kernel=3); norm; elu(alpha=0.5) }
    local_response_norm(3); celu(alpha=0.7); softplus(beta=2); hardtanh(-0.5, 2); mish
    pad(top=1, bottom=2, left=0, right=1); conv(16, kernel=3, stride=2)
    pad(top=1, bottom=1, left=1, right=1, mode=reflect); pad(top=1, bottom=0, left=0, right=1, mode=replicate)
    pad(top=1, bottom=1, left=1, right=1, mode=circular); conv(16, kernel=3); selu; softmax
  }
  stage s2 {
    conv_transpose(16, kernel=2, stride=2); norm; relu; conv(64, kernel=1, width=fixed); pixel_shuffle(2)
    space_to_depth(2)
  }
  head { pool(avg); channel_conv(3); norm rms(eps=1e-5); norm; linear(classes) }
}
method us_net(subnets=3)
"""


@pytest.mark.parametrize("text", [EVERY, TOKENS, TWO_RUNS, LATER], ids=["every", "tokens", "runs", "later"])
@torch.no_grad()
def test_every_layer_of_a_written_source_has_the_options_of_the_network_s(text: str, tmp_path: Path) -> None:
    made = project(from_text(text), tmp_path)
    net = made.model.Model().eval()
    scramble(net)
    shape = {"every": (2, 29, 37), "tokens": (3, 8, 8), "runs": (3, 16, 16), "later": (3, 16, 16)}[
        type(net).__name__.lower()
    ]
    x = torch.randn(2, *shape)
    drawn = made.modules["space"].draw(random.Random(0))
    for at in ("max", "min", drawn):
        plan = net.plan(at)
        for fold in (False, True):
            static = made.extract.extract(net, plan, fold)
            twin = source_of(made, static, x)
            mine = {path: options(layer) for path, layer in static.named_modules() if path}
            theirs = {path: options(layer) for path, layer in twin.named_modules() if path}
            assert without_classes(theirs) == without_classes(mine)
            assert relative(twin(x), net(x, plan)) < 1e-4


def source_of(made: Any, static: Any, x: torch.Tensor) -> Any:
    """The module that the written text makes, with the same weights."""
    writer = part(made, "deploy.static_source")
    with made.known():
        text = writer.static_source(static, "A sub-network.", (x,))
    found: dict[str, Any] = {"__name__": "written"}
    exec(compile(text, "model.py", "exec"), found)
    twin = found["Model"]().eval()
    twin.load_state_dict(static.state_dict())
    return twin


def without_classes(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Classes that are not torch's are copied as text: they are others of the same name."""
    return {
        path: {key: value.__name__ if isinstance(value, type) else value for key, value in row.items()}
        for path, row in found.items()
        if row["class"].__name__ not in ("Module", "Parts")  # groups of layers
    }


def test_no_layer_that_operators_write_is_missing_above() -> None:
    """Whoever adds a layer to an operator adds it to a spec here."""
    texts = [path.read_text() for path in OPS.glob("*/write.py")]
    names = {name for text in texts for name in re.findall(r'"nn\.(\w+)"', text)}
    tried: set[str] = set()
    for text in (EVERY, TOKENS, TWO_RUNS, LATER):
        spec = from_text(text)
        tried |= {name for name in names if any(f"{name}(" in f for f in texts_of(spec))}
    assert names - tried == set()


def texts_of(spec: Any) -> list[str]:
    """The elastic and the static model.py of a spec."""
    at = {choice.name: choice.largest for choice in spec.graph.choices}
    return [files_of(spec)["model.py"], files_of(spec, bind_fully(spec.graph, at))["model.py"]]
