"""The text of small networks as PyTorch has them: what a person would write of these modules."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from specc.diagnostics import Findings
from specc.importing.prove import LEAST_SPREAD, MOST_IN_DOUBLE, compared, dtype_of, in_precisions
from specc.importing.recognise import Unread, recognise
from specc.importing.sources import Loaded
from specc.importing.text.write import write
from specc.importing.trace import trace
from specc.pipeline import compile_spec
from specc.source import Source


def text_of(module: nn.Module, size: int = 32) -> str:
    """The text between `norm batch` and the end, which compiles."""
    found = recognise(trace(Loaded("net", module.eval()), ((3, size, size),)).traced)
    assert not isinstance(found, Unread), found.node.target
    text = write(found).text
    assert compile_spec(Source("net.specc", text), {}, Findings()) is not None
    return text


class Branches(nn.Module):
    """A block of parallel layers that become one: three convolutions, one of a pixel, and a norm."""

    def __init__(self, in_: int, out: int, stride: int = 1) -> None:
        super().__init__()
        sizes = (3, 3, 3, 1)
        self.convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(in_, out, k, stride, k // 2, bias=False), nn.BatchNorm2d(out)) for k in sizes
        )
        self.norm = nn.BatchNorm2d(in_) if in_ == out and stride == 1 else None
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = sum(conv(x) for conv in self.convs)
        return self.act(y if self.norm is None else y + self.norm(x))  # type: ignore[no-any-return]


def ended(*parts: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5))


def test_a_sum_of_branches_is_one_sum() -> None:
    text = text_of(ended(Branches(3, 16, 2), Branches(16, 16), Branches(16, 16), channels=16))
    assert text.count("residual") == text.count("add(") == 1
    assert text.count("conv_norm(16, 3, stride=stride)") == 3
    assert "conv_norm(16, 1, stride=stride)" in text


class Gated(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cheap = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.cheap(x)], 1)


class Plain(Gated):
    """Holds the same as its base class."""


class Both(nn.Module):
    def __init__(self, channels: int, kind: type[Gated]) -> None:
        super().__init__()
        self.one, self.part, self.two = nn.Conv2d(channels, 8, 1), kind(8), nn.Conv2d(16, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(self.part(self.one(x)))  # type: ignore[no-any-return]


def test_classes_of_one_text_are_one_block() -> None:
    parts = [Both(12, Gated), Both(12, Plain), Both(12, Gated)]
    text = text_of(ended(nn.Conv2d(3, 12, 3, 2, 1), *parts, channels=12))
    assert "repeat 3 {" in text
    assert text.count("block ") == text.count("concat(") == 1


class Narrow(nn.Module):
    def __init__(self, n: int, adds: bool) -> None:
        super().__init__()
        self.a, self.b, self.adds = nn.Conv2d(n, n, 3, padding=1), nn.Conv2d(n, n, 1), adds

    def forward(self, x: Tensor) -> Tensor:
        y = self.b(torch.relu(self.a(x)))
        return x + y if self.adds else y  # type: ignore[no-any-return]


def test_a_sum_that_is_left_out_where_the_shape_stays_too() -> None:
    """Not `residual(when in == out)`: the last has as many channels as come in, and no sum."""
    widths = (4, 8, 12)
    steps = [
        layer for n in widths for layer in (nn.Conv2d(n, n, 3, padding=1), Narrow(n, n < 12), nn.Conv2d(n, n + 4, 1))
    ]
    text = text_of(ended(nn.Conv2d(3, 4, 3, 2, 1), *steps, channels=16))
    assert "when in == out" not in text
    assert text.count("residual") >= 1


class Residual(nn.Module):
    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inside(x)  # type: ignore[no-any-return]


def test_equal_members_of_a_list_are_one_stage() -> None:
    def member() -> nn.Module:
        deep = nn.Sequential(nn.Conv2d(16, 16, 5, padding=2, groups=16), nn.GELU(), nn.BatchNorm2d(16))
        return nn.Sequential(Residual(deep), nn.Conv2d(16, 16, 1), nn.GELU(), nn.BatchNorm2d(16))

    text = text_of(ended(nn.Conv2d(3, 16, 4, 4), nn.Sequential(*(member() for _ in range(6))), channels=16))
    assert text.count("stage ") == 1
    assert "repeat 6 {" in text


class Fusing(nn.Module):
    """Several resolutions, each added to every other, by lists of lists of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stems = nn.ModuleList(nn.Conv2d(3, 8 * 2**i, 3, 2**i, 1) for i in range(3))
        self.down = nn.ModuleList(
            nn.ModuleList(
                nn.Sequential(nn.Conv2d(8 * 2**j, 16 * 2**j, 3, 2, 1, bias=False), nn.BatchNorm2d(16 * 2**j))
                for j in range(2)
            )
            for _ in range(3)
        )
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = (stem(x) for stem in self.stems)
        for layers in self.down:
            assert isinstance(layers, nn.ModuleList)
            a, b, c = a.relu(), (b + layers[0](a)).relu(), (c + layers[1](b)).relu()
        return self.head(c.mean((2, 3)))  # type: ignore[no-any-return]


def test_layers_in_lists_of_lists_are_one_block() -> None:
    text = text_of(Fusing())
    assert "block " not in text
    assert "conv_norm(16, 3, stride=2)" in text
    assert "conv_norm(32, 3, stride=2)" in text


class Far(nn.Module):
    """Hardly anything of the image is left in its answer, whose rounding is the platform's."""

    def __init__(self, rounding: float, share: float = 1e-9) -> None:
        super().__init__()
        self.rounding, self.share = rounding, share

    def forward(self, x: Tensor) -> Tensor:
        return 1 + self.share * x + self.rounding


@pytest.mark.parametrize(("rounding", "share", "same"), [(1e-13, 1e-9, True), (1e-9, 1e-9, False), (1e-6, 1, True)])
def test_rounding_is_no_difference(rounding: float, share: float, same: bool) -> None:
    images = [[torch.randn(2, 3, dtype=torch.float64)] for _ in range(3)]
    assert (compared(Far(0, share), Far(rounding, share), images, None) <= 1e-5) == same
    assert LEAST_SPREAD >= 1e-7


class Sensitive(nn.Linear):
    """Makes much of rounding."""

    def __init__(self, by: float) -> None:
        super().__init__(3, 3)
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return (super().forward(x) * self.by).sin()


@pytest.mark.parametrize(("by", "tried"), [(1, [torch.float64]), (1e6, [torch.float64, torch.float32])])
def test_what_makes_much_of_rounding_is_compared_in_double(by: float, tried: list[torch.dtype]) -> None:
    assert [dtype_of(module) for module in in_precisions(Sensitive(by), ((3,),), None, 9)] == tried


class Single(nn.Linear):
    """Turns its numbers into single ones, as the trace of a network in single precision says."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


def test_what_is_large_is_compared_in_double_where_single_does_not_do() -> None:
    found = in_precisions(Sensitive(1), ((3,),), None, MOST_IN_DOUBLE + 1)
    assert [dtype_of(module) for module in found] == [torch.float32, torch.float64]


def test_what_runs_in_single_precision_alone_is_compared_in_it() -> None:
    found = in_precisions(Sensitive(1), ((3,),), None, 9, Single(3, 3))
    assert [dtype_of(module) for module in found] == [torch.float32]


def test_the_first_token_of_tokens_without_a_class_token() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.stem(x).flatten(2).transpose(1, 2)[:, 0])  # type: ignore[no-any-return]

    found = recognise(trace(Loaded("net", Net().eval()), ((3, 8, 8),)).traced)
    assert isinstance(found, Unread)
    assert found.node.target in ("aten.select", "aten.linear")
