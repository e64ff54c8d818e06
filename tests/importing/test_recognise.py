"""What operators recognise in small modules that nobody published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.importing.network import Network
from specc.importing.recognise import Unread, recognise
from specc.importing.sources import CannotImport, Loaded
from specc.importing.trace import trace


def network(module: nn.Module, *shape: int) -> Network:
    traced = trace(Loaded("net", module.eval()), (shape or (3, 8, 8),)).traced
    found = recognise(traced)
    assert not isinstance(found, Unread), (found.node.target, found.node.place)
    return found


def words(found: Network) -> str:
    return " ".join(operation.operator for operation in found.operations)


class Block(nn.Module):
    """Squeeze-excite and a residual, written as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.down, self.up = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.out = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.conv(x)), inplace=True)
        gate = self.up(F.relu(self.down(y.mean((2, 3), keepdim=True)))).sigmoid()
        y = y + gate.expand_as(y) * y
        y = y * torch.sigmoid(y)
        return self.out(F.dropout(F.adaptive_avg_pool2d(y, 1).flatten(1), 0.5, self.training))  # type: ignore[no-any-return]


def test_functions_are_read_as_layers_are() -> None:
    found = network(Block())
    kinds = "conv batch_norm relu pool linear relu linear sigmoid scale add silu pool dropout linear"
    assert words(found) == kinds
    down = found.operations[4]
    assert down.weights["weight"].sources == ("down.weight",)
    assert down.parameters["out"] == 2
    assert [found.shapes[value] for value in found.operations[8].inputs] == [(8, 8, 8), (8,)]
    assert found.operations[0].place.startswith("test_recognise.py:")
    assert [frame.path for frame in found.operations[0].stack] == ["", "conv"]


class Attending(nn.Module):
    """Tokens, a class token, positions, and attention of each of three makes."""

    def __init__(self, make: str) -> None:
        super().__init__()
        self.make = make
        self.patches = nn.Conv2d(3, 12, 2, stride=2)
        self.token = nn.Parameter(torch.randn(1, 1, 12))
        self.position = nn.Parameter(torch.randn(1, 17, 12))
        self.norm = nn.LayerNorm(12)
        self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)
        self.q, self.k, self.v = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12)
        self.whole = nn.MultiheadAttention(12, 3, batch_first=True)
        self.head = nn.Linear(12, 5)

    def attend(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        if self.make == "module":
            return self.whole(x, x, x, need_weights=False)[0]  # type: ignore[no-any-return]
        if self.make == "three":
            q, k, v = (layer(x).view(n, t, 3, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        elif self.make == "heads first":
            q, k, v = self.qkv(x).view(n, t, 3, 3, 4).permute(3, 0, 2, 1, 4).unbind(0)
        else:
            q, k, v = self.qkv(x).reshape(n, t, 3, 3, 4).permute(2, 0, 3, 1, 4)
        if self.make == "written out":
            y = ((q * 4**-0.5) @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(n, t, c))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        x = x + self.attend(self.norm(x))
        return self.head(x[:, 0])  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", ["module", "three", "heads first", "written out", "fused"])
def test_attention(make: str) -> None:
    found = network(Attending(make))
    assert words(found) == "patch_embed class_token position layer_norm attention add take linear"
    attention = found.operations[4]
    assert attention.parameters == {"heads": 3}
    how = {"three": "join", "heads first": "rows 3,3,4 by 1,0,2"}.get(make, "same")
    assert attention.weights["qkv.weight"].how == how


class Grouped(nn.Module):
    """Attention with shared keys and values, normalised queries, heads of their own size, and few biases."""

    def __init__(self, make: str) -> None:
        super().__init__()
        self.make = make
        self.patches = nn.Conv2d(3, 12, 2, stride=2)
        self.position = nn.Parameter(torch.randn(1, 16, 12))
        self.qkv, self.proj = nn.Linear(12, 40, bias=False), nn.Linear(20, 12)
        self.q, self.k, self.v = (nn.Linear(12, size, bias=False) for size in (20, 10, 10))
        norm = nn.LayerNorm if make == "layer norms" else nn.RMSNorm
        self.q_norm, self.k_norm = norm(5, eps=1e-4), norm(5, eps=1e-4)
        self.head = nn.Linear(12, 5)

    def attend(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        if self.make == "three":
            q, k, v = (layer(x).view(n, t, -1, 5).transpose(1, 2) for layer in (self.q, self.k, self.v))
        else:
            q, k, v = self.qkv(x).view(n, t, 8, 5).transpose(1, 2).split((4, 2, 2), 1)
        if self.make.endswith("norms"):
            q, k = self.q_norm(q), self.k_norm(k)
        if self.make == "expanded":
            k, v = (part[:, :, None].expand(n, 2, 2, t, 5).reshape(n, 4, t, 5) for part in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, enable_gqa=self.make != "expanded")
        return self.proj(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        return self.head((x + self.attend(x)).mean(1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", ["three", "expanded", "one", "layer norms", "rms norms"])
def test_grouped_attention(make: str) -> None:
    found = network(Grouped(make))
    assert words(found) == "patch_embed position attention add take linear"
    attention = found.operations[2]
    norms = {"layer norms": "layer", "rms norms": "rms"}
    more = {"qk_norm": norms[make], "qk_eps": 1e-4} if make in norms else {}
    assert attention.parameters == {"heads": 4, "head_dim": 5, "kv_heads": 2, "bias": False, **more}
    assert attention.weights["qkv.weight"].how == ("join" if make == "three" else "same")
    assert {name.split(".")[0] for name in attention.weights} == {"qkv", "out", *(("q_norm", "k_norm") if more else ())}


class Cut(nn.Module):
    """Parts of channels, shuffled; and in-place sums."""

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.one(x).chunk(2, 1)
        right += left
        y = torch.cat((left, right), 1)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        first = y[:, : c // 2]
        return self.two(first).flatten(1)  # type: ignore[no-any-return]

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 1), nn.Conv2d(4, 2, 3)


def test_parts_and_shuffles() -> None:
    found = network(Cut())
    assert words(found) == "conv split add concat shuffle split conv flatten"
    assert found.operations[4].parameters == {"groups": 2}
    assert found.operations[3].inputs == (found.operations[1].outputs[0], found.operations[2].outputs[0])


class Dropped(nn.Module):
    """Zeroes images, under a name of its own."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = torch.rand(len(x), *[1] * (x.dim() - 1)) >= self.rate
        return x * keep / (1 - self.rate)


def test_stochastic_depth_is_known_by_what_it_does() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.drop, self.head = nn.Conv2d(3, 3, 3, padding=1), Dropped(0.25), nn.Linear(192, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((x + self.drop(self.conv(x))).flatten(1))  # type: ignore[no-any-return]

    found = network(Net())
    assert words(found) == "conv drop_path add flatten linear"
    assert found.operations[1].parameters == {"rate": 0.25}


def test_channels_last_is_the_same_map() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.norm = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8)
            self.up, self.down, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            y = self.down(F.gelu(self.up(self.norm(x.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)
            return self.head((x + y).mean([-2, -1]))  # type: ignore[no-any-return]

    assert Counter(words(network(Net())).split()) == Counter(conv=3, layer_norm=1, gelu=1, add=1, pool=1, linear=1)


def test_a_region_without_autocast_is_nothing() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            with torch.autocast(x.device.type, enabled=False):
                x = x.float().relu()
            with torch.no_grad():
                size = x.shape[-1]
            return self.head(x[:, :, :size].mean((2, 3)))  # type: ignore[no-any-return]

    enter = torch.autocast.__enter__
    assert words(network(Net())) == "conv relu pool linear"
    assert torch.autocast.__enter__ is enter


def test_a_region_with_autocast_is_refused() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                x = self.stem(x)
            return self.head(x.float().mean((2, 3)))  # type: ignore[no-any-return]

    with pytest.raises(CannotImport, match=r"a region of its own .*`wrap_with_autocast`"):
        network(Net())


@pytest.mark.parametrize(
    ("layer", "kind", "parameters"),
    [
        (nn.PReLU(), "prelu", {}),
        (nn.PReLU(3), "prelu", {"channels": True}),
        (
            nn.LocalResponseNorm(3, alpha=0.02, beta=0.5, k=2),
            "local_response_norm",
            {"size": 3, "alpha": 0.02, "beta": 0.5, "k": 2.0},
        ),
        (nn.InstanceNorm2d(3), "instance_norm", {"eps": 1e-5, "affine": False}),
        (nn.InstanceNorm2d(3, affine=True, eps=1e-3), "instance_norm", {"eps": 1e-3}),
        (nn.GroupNorm(3, 3), "group_norm", {"groups": 3, "eps": 1e-5}),
        (nn.LeakyReLU(0.2), "leaky_relu", {"slope": 0.2}),
        (nn.ELU(0.5), "elu", {"alpha": 0.5}),
        (nn.CELU(0.5), "celu", {"alpha": 0.5}),
        (nn.SELU(), "selu", {}),
        (nn.Mish(), "mish", {}),
        (nn.Softplus(2.0), "softplus", {"beta": 2.0, "threshold": 20.0}),
        (nn.GELU("tanh"), "gelu_tanh", {}),
        (nn.Hardtanh(-2, 2), "hardtanh", {"low": -2.0, "high": 2.0}),
        (nn.ReLU6(), "relu6", {}),
        (nn.Softmax(1), "softmax", {}),
        (nn.Conv2d(3, 4, (1, 7), padding=(0, 3)), "conv", {"out": 4, "kernel": (1, 7), "bias": True}),
        (
            nn.Conv2d(3, 4, 3, stride=(2, 1), padding="valid"),
            "conv",
            {"out": 4, "kernel": 3, "stride": (2, 1), "padding": 0, "bias": True},
        ),
        (nn.Conv2d(3, 6, 3, padding=1, groups=3), "conv", {"out": 6, "kernel": 3, "groups": 3, "bias": True}),
        (nn.Conv2d(3, 3, 5, padding=2, groups=3, bias=False), "depthwise", {"kernel": 5}),
        (
            nn.AvgPool2d(3, 2, 1, count_include_pad=False),
            "pool",
            {"mode": "avg", "kernel": 3, "stride": 2, "count_padding": False},
        ),
        (nn.AvgPool2d(2, ceil_mode=True), "pool", {"mode": "avg", "kernel": 2, "ceil": True}),
        (nn.AvgPool2d(8), "pool", {"mode": "avg"}),
        (nn.AdaptiveMaxPool2d(1), "pool", {"mode": "max"}),
        (nn.AdaptiveAvgPool2d((2, 4)), "pool", {"mode": "avg", "size": (2, 4)}),
        (nn.MaxPool2d(3, 2, 1), "maxpool", {"kernel": 3, "stride": 2}),
        (nn.Upsample(scale_factor=2, mode="bilinear"), "upsample", {"factor": 2, "mode": "bilinear"}),
        (nn.Upsample(scale_factor=3), "upsample", {"factor": 3, "mode": "nearest"}),
        (nn.ZeroPad2d(0), "", {}),
        (
            nn.Sequential(nn.ZeroPad2d(2), nn.Conv2d(3, 4, 3, padding=1)),
            "conv",
            {"out": 4, "kernel": 3, "padding": 3, "bias": True},
        ),
    ],
    ids=repr,
)
def test_layers(layer: nn.Module, kind: str, parameters: dict[str, object]) -> None:
    """One layer of torch, between the image and a vector of it."""
    found = network(nn.Sequential(layer, nn.Flatten()))
    assert words(found).removesuffix("flatten").strip() == kind
    if kind:
        assert found.operations[0].parameters == parameters


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: F.hardsigmoid(x) * x, "hswish"),
        (lambda x: x * F.relu6(x + 3) / 6, "hswish"),
        (lambda x: x * (F.relu6(x + 3) / 6), "hswish"),
        (lambda x: F.relu6(x + 3) / 6, "hsigmoid"),
        (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu"),
        (lambda x: x.clamp(0, 6), "relu6"),
        (lambda x: x.clamp(min=0), "relu"),
        (lambda x: x * x.mean(1, keepdim=True), None),
        (lambda x: x - torch.tanh(x), "tanh subtract"),
        (lambda x: torch.tanh(x) * torch.sigmoid(x), "tanh sigmoid multiply"),
    ],
)
def test_formulas(formula: Callable[[Tensor], Tensor], kind: str | None) -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return formula(x).flatten(1)

    traced = trace(Loaded("net", Net().eval()), ((3, 8, 8),)).traced
    found = recognise(traced)
    assert (kind is None) == isinstance(found, Unread)
    if isinstance(found, Network):
        assert words(found) == f"{kind} flatten"


class Resized(nn.Module):
    """Maps that are enlarged and shrunk in all ways that there are words for."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.odd = (
            nn.ConvTranspose2d(3, 8, 2, stride=2),
            nn.ConvTranspose2d(8, 8, (3, 1), groups=4, bias=False),
        )
        self.out = nn.Conv2d(8, 8, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.odd(self.up(x)), size=(16, 12), mode="bilinear", align_corners=True)
        x = F.pixel_unshuffle(F.pixel_shuffle(x, 2), 4)
        n, c, h, w = x.shape
        x = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)
        x = F.pad(F.pixel_shuffle(x, 4), (0, 1, 0, 1))
        return F.pad(self.out(x), (1, 2, 0, 0), mode="reflect")


def test_maps_of_other_sizes() -> None:
    found = network(Resized())
    shuffled = "pixel_shuffle space_to_depth space_to_depth pixel_shuffle"
    assert words(found) == f"conv_transpose conv_transpose upsample {shuffled} pad conv pad"
    up, odd, size, _, _, permuted, _, border, conv, mirrored = found.operations
    assert up.parameters == {"out": 8, "kernel": 2, "stride": 2, "padding": 0, "bias": True}
    assert odd.parameters == {"out": 8, "kernel": (3, 1), "padding": 0, "groups": 4}
    assert size.parameters == {"mode": "bilinear", "size": (16, 12), "align_corners": True}
    assert permuted.parameters == {"factor": 2, "order": "channels"}
    assert border.parameters == {"bottom": 1, "right": 1}
    assert mirrored.parameters == {"left": 1, "right": 2, "mode": "reflect"}
    assert found.shapes[conv.outputs[0]] == (8, 8, 6)
