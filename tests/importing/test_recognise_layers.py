"""What the operators that were added for imports recognise: under ATen's names, and written out; and that an import of
them all computes what the original does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.importing.recognise import Unread, recognise
from specc.importing.sources import Loaded
from specc.importing.trace import trace
from tests.helpers.commands import specc


class Net(nn.Module):
    """A function between a convolution and a head. `wide` and `mask` are convolutions, `factors` a parameter."""

    layer: Any

    def __init__(self, function: Callable[[Any, Tensor], Tensor], layer: nn.Module) -> None:
        super().__init__()
        self.function, self.layer = function, layer
        self.stem, self.wide, self.mask = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 1, 1)
        self.factors = nn.Parameter(torch.randn(8))
        self.tall = nn.Parameter(torch.randn(8, 1, 1))
        self.one = nn.Parameter(torch.randn(()))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.function(self, self.stem(x)).mean((2, 3)))
        return y


def last(function: Callable[[Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """A function of tensors with the channels last, on a map."""
    return lambda net, x: function(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def rms(net: Net, x: Tensor) -> Tensor:
    return last(lambda y: y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6) * net.factors)(net, x)


def by_batch_norm(net: Net, x: Tensor) -> Tensor:
    """As in timm's StdConv2d, but with a gain, as in its ScaledStdConv2d."""
    weight, gain = net.layer.weight, net.factors.view(8, 1, 1, 1) * 72**-0.5
    rows = F.batch_norm(weight.reshape(1, 8, -1), None, None, gain.view(-1), training=True, momentum=0.0, eps=1e-6)
    return F.conv2d(x, rows.reshape_as(weight), None, 1, 1)


def by_variance(net: Net, x: Tensor) -> Tensor:
    """As in Big Transfer's own code."""
    weight = net.layer.weight
    var, mean = torch.var_mean(weight, dim=[1, 2, 3], keepdim=True, unbiased=False)
    return F.conv2d(x, (weight - mean) / torch.sqrt(var + 1e-10), net.layer.bias, 1, 1, 1, 2)


def written_out(net: Net, x: Tensor) -> Tensor:
    """With Bessel's correction, a gain, and constants where a person may put them."""
    weight = net.layer.weight
    mean, var = weight.mean((1, 2, 3), keepdim=True), weight.var((1, 2, 3), keepdim=True)
    scale = torch.rsqrt(var + 1e-4) * net.factors.view(8, 1, 1, 1)
    return F.conv2d(x, 3 * (scale * (weight - mean)) / 72**0.5, None, 2, 1)


NOTHING = nn.Identity()
CASES: dict[str, tuple[Callable[[Any, Tensor], Tensor], nn.Module, str, dict[str, object]]] = {
    "a product": (lambda net, x: x * net.wide(x), NOTHING, "conv multiply", {}),
    "a difference": (lambda net, x: x - net.wide(x), NOTHING, "conv subtract", {}),
    "a sum that begins with 0": (lambda net, x: 0 + net.wide(x) + x, NOTHING, "conv add", {}),
    "a mask": (lambda net, x: net.mask(x).sigmoid() * x, NOTHING, "conv sigmoid multiply", {}),
    "an expanded mask": (lambda net, x: x * net.mask(x).expand_as(x), NOTHING, "conv multiply", {}),
    "a gate a row": (lambda net, x: x * net.wide(x).mean(3, keepdim=True), NOTHING, "conv pool multiply", {}),
    "squeeze-excite": (lambda net, x: x * net.wide(x.mean((2, 3), True)), NOTHING, "pool linear scale", {}),
    "GELU by a tanh": (lambda net, x: F.gelu(x, approximate="tanh"), NOTHING, "gelu_tanh", {}),
    "GELU by a sigmoid": (lambda net, x: x * torch.sigmoid(1.702 * x), NOTHING, "quick_gelu", {}),
    "another sigmoid": (lambda net, x: x * torch.sigmoid(1.5 * x), NOTHING, "scale_by sigmoid multiply", {}),
    "mish": (lambda net, x: F.mish(x), NOTHING, "mish", {}),
    "SELU": (lambda net, x: F.selu(x), NOTHING, "selu", {}),
    "a leak": (lambda net, x: F.leaky_relu(x, 0.2), NOTHING, "leaky_relu", {"slope": 0.2}),
    "ELU": (lambda net, x: F.elu(x, 0.5), NOTHING, "elu", {"alpha": 0.5}),
    "CELU": (lambda net, x: F.celu(x, 2.0), NOTHING, "celu", {"alpha": 2.0}),
    "softplus": (lambda net, x: F.softplus(x, 2, 10), NOTHING, "softplus", {"beta": 2, "threshold": 10}),
    "a clamp": (lambda net, x: x.clamp(-2, 3), NOTHING, "hardtanh", {"low": -2, "high": 3}),
    "a hard tanh": (lambda net, x: F.hardtanh(x), NOTHING, "hardtanh", {"low": -1, "high": 1}),
    "a softmax": (lambda net, x: x.softmax(1), NOTHING, "softmax", {}),
    "a slope": (lambda net, x: net.layer(x), nn.PReLU(), "prelu", {}),
    "slopes": (lambda net, x: net.layer(x), nn.PReLU(8), "prelu", {"channels": True}),
    "factors": (lambda net, x: net.tall * x, NOTHING, "layer_scale", {}),
    "reshaped factors": (lambda net, x: x * net.factors.reshape(1, -1, 1, 1), NOTHING, "layer_scale", {}),
    "factors of last channels": (lambda net, x: last(net.factors.mul)(net, x), NOTHING, "layer_scale", {}),
    "a constant factor": (lambda net, x: 0.2 * x, NOTHING, "scale_by", {"factor": 0.2}),
    "a share": (lambda net, x: x / 4, NOTHING, "scale_by", {"factor": 0.25}),
    "a constant tensor": (lambda net, x: x * torch.tensor(3.0), NOTHING, "scale_by", {"factor": 3.0}),
    "the negative": (lambda net, x: -x, NOTHING, "scale_by", {"factor": -1}),
    "a constant more": (lambda net, x: 1.5 + x, NOTHING, "shift_by", {"offset": 1.5}),
    "a constant less": (lambda net, x: x - 2, NOTHING, "shift_by", {"offset": -2}),
    "the rest": (lambda net, x: 1 - x, NOTHING, "subtract_from", {"number": 1}),
    "offsets": (lambda net, x: x + net.tall, NOTHING, "offset", {}),
    "factors and offsets": (
        lambda net, x: last(lambda y: torch.addcmul(net.factors, net.tall.view(1, 1, 8), y))(net, x),
        NOTHING,
        "affine",
        {},
    ),
    "a factor for all": (lambda net, x: x * net.one, NOTHING, "layer_scale", {"channels": False}),
    "an offset for all": (lambda net, x: net.one + x, NOTHING, "offset", {"channels": False}),
    "a square": (lambda net, x: x**2, NOTHING, "multiply", {}),
    "a lower bound": (lambda net, x: x.clamp(min=-1), NOTHING, "clamp", {"low": -1}),
    "an upper bound": (lambda net, x: x.clamp(max=6), NOTHING, "clamp", {"high": 6}),
    "no lower bound": (lambda net, x: x.clamp(-float("inf"), 2), NOTHING, "clamp", {"high": 2}),
    "a batch norm without a scale": (
        lambda net, x: net.layer(x),
        nn.BatchNorm2d(8, affine=False),
        "batch_norm",
        {"eps": 1e-5, "momentum": 0.1, "affine": False},
    ),
    "standardised weights": (
        by_variance,
        nn.Conv2d(8, 8, 3, groups=2),
        "standardized_conv",
        {"out": 8, "kernel": 3, "groups": 2, "bias": True, "eps": 1e-10},
    ),
    "standardised weights with a gain": (
        by_batch_norm,
        nn.Conv2d(8, 8, 3, bias=False),
        "standardized_conv",
        {"out": 8, "kernel": 3, "gain": True},
    ),
    "standardised weights, written out": (
        written_out,
        nn.Conv2d(8, 8, 3, bias=False),
        "standardized_conv",
        {
            "out": 8,
            "kernel": 3,
            "stride": 2,
            "gain": True,
            "eps": pytest.approx(1e-4 * 71 / 72),
            "gamma": pytest.approx(3 * (71 / 72) ** 0.5),
        },
    ),
    "rows": (lambda net, x: x.mean(3, keepdim=True), NOTHING, "pool", {"mode": "avg", "over": "width"}),
    "columns": (
        lambda net, x: net.layer(x),
        nn.AdaptiveMaxPool2d((1, None)),
        "pool",
        {"mode": "max", "over": "height"},
    ),
    "columns of last channels": (
        lambda net, x: last(lambda y: y.amax(1, keepdim=True))(net, x),
        NOTHING,
        "pool",
        {"mode": "max", "over": "height"},
    ),
    "a border below all numbers": (
        lambda net, x: F.pad(x, (0, 1, 0, 1), value=-float("inf")),
        NOTHING,
        "pad",
        {"bottom": 1, "right": 1, "mode": "lowest"},
    ),
    "an instance norm": (
        lambda net, x: net.layer(x),
        nn.InstanceNorm2d(8),
        "instance_norm",
        {"eps": 1e-5, "affine": False},
    ),
    "with a scale": (
        lambda net, x: net.layer(x),
        nn.InstanceNorm2d(8, eps=1e-3, affine=True),
        "instance_norm",
        {"eps": 1e-3},
    ),
    "a layer norm without a scale": (
        lambda net, x: last(net.layer)(net, x),
        nn.LayerNorm(8, elementwise_affine=False),
        "layer_norm",
        {"eps": 1e-5, "affine": False},
    ),
    "a layer norm without an offset": (
        lambda net, x: last(net.layer)(net, x),
        nn.LayerNorm(8, bias=False),
        "layer_norm",
        {"eps": 1e-5, "bias": False},
    ),
    "a group norm without a scale": (
        lambda net, x: F.group_norm(x, 2),
        NOTHING,
        "group_norm",
        {"groups": 2, "eps": 1e-5, "affine": False},
    ),
    "a group norm without an offset": (
        lambda net, x: F.group_norm(x, 1, net.factors),
        NOTHING,
        "group_norm",
        {"groups": 1, "eps": 1e-5, "bias": False},
    ),
    "an RMS norm without a scale": (
        lambda net, x: last(lambda y: F.rms_norm(y, (8,), eps=1e-6))(net, x),
        NOTHING,
        "rms_norm",
        {"eps": 1e-6, "affine": False},
    ),
    "an RMS norm": (lambda net, x: last(net.layer)(net, x), nn.RMSNorm(8, eps=1e-6), "rms_norm", {"eps": 1e-6}),
    "a gate of neighbours": (
        lambda net, x: x * net.layer(x.mean((2, 3)).unsqueeze(1)).view(-1, 8, 1, 1),
        nn.Conv1d(1, 1, 3, padding=1, bias=False),
        "pool channel_conv scale",
        {},
    ),
    "an RMS norm, written out": (rms, NOTHING, "rms_norm", {"eps": 1e-6}),
    "a norm of neighbours": (
        lambda net, x: net.layer(x),
        nn.LocalResponseNorm(3, k=2.0),
        "local_response_norm",
        {"size": 3, "alpha": 1e-4, "beta": 0.75, "k": 2.0},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_recognised(case: str) -> None:
    function, layer, words, parameters = CASES[case]
    found = recognise(trace(Loaded("net", Net(function, layer).eval()), ((3, 8, 8),)).traced)
    assert not isinstance(found, Unread), found.node.target
    kinds = [operation.operator for operation in found.operations]
    assert kinds == ["conv", *words.split(), "pool", "linear"]
    assert dict(found.operations[-3].parameters) == parameters


class Mixer(nn.Module):
    """Tokens that are mixed as in MLP-Mixer, and gated as in gMLP."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.head = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8), nn.Linear(4, 5)
        self.mix = nn.Sequential(nn.Linear(16, 12), nn.GELU(), nn.Linear(12, 16))
        self.gate = nn.Linear(16, 16, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = x + self.mix(self.norm(x).transpose(1, 2)).transpose(1, 2)
        u, v = x.chunk(2, dim=-1)
        x = u * self.gate(v.transpose(-1, -2)).transpose(-1, -2)
        y: Tensor = self.head(x.mean(1))
        return y


def test_mixed_tokens_are_recognised() -> None:
    found = recognise(trace(Loaded("net", Mixer().eval()), ((3, 8, 8),)).traced)
    assert not isinstance(found, Unread), found.node.target
    assert [operation.operator for operation in found.operations] == (
        "patch_embed layer_norm token_linear gelu token_linear add split token_linear multiply take linear".split()
    )
    assert [dict(o.parameters) for o in found.operations if o.operator == "token_linear"] == [
        {"out": 12},
        {"out": 16},
        {"out": 16, "bias": False},
    ]


NOT_THESE: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "factors of places": lambda net, x: last(lambda y: y.transpose(1, 3) * net.factors)(net, x),
    "half of the factors": lambda net, x: x * net.factors[:1].reshape(1, 1, 1, 1),
    "a number a pixel": lambda net, x: x * net.wide(x)[:, :, :1],
    "a bound that is learned": lambda net, x: x.clamp(min=net.one),
}


@pytest.mark.parametrize("case", NOT_THESE)
def test_what_is_no_operator_is_not_taken_for_one(case: str) -> None:
    found = recognise(trace(Loaded("net", Net(NOT_THESE[case], NOTHING).eval()), ((3, 8, 8),)).traced)
    assert isinstance(found, Unread)


ALL = """
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.wide, self.mask = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 1, 1)
            self.other = nn.Conv2d(8, 8, 1)
            self.slope, self.slopes = nn.PReLU(), nn.PReLU(8)
            self.gamma = nn.Parameter(torch.full((8,), 0.5))
            self.norm, self.local = nn.InstanceNorm2d(8, affine=True), nn.LocalResponseNorm(3)
            self.rms = nn.RMSNorm(8, eps=1e-6)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.norm(self.stem(x))
            x = self.local(self.slopes(x) * self.mask(x).sigmoid())
            x = x + self.gamma.view(1, -1, 1, 1) * self.slope(self.wide(x) - x)
            x = self.rms(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            x = F.mish(F.leaky_relu(x, 0.2)) * F.elu(F.hardtanh(x, -2, 2)) + F.gelu(x, approximate="tanh")
            x = F.softplus(x) * self.other(x).softmax(1) + x * torch.sigmoid(1.702 * x)
            return self.head(x.mean((2, 3)))

    def build():
        torch.manual_seed(0)
        return Net()
"""


def test_an_import_of_them_computes_the_same(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(dedent(ALL))
    done = specc("import", f"{tmp_path}/mine.py:build", "--input", "1,3,8,8", "-o", tmp_path / "net.specc", "--json")
    assert done.code == 0, done.err
    assert done.json["difference"] <= 1e-5
    assert done.json["difference_trained"] <= 1e-5
    assert done.json["modules"] == []
