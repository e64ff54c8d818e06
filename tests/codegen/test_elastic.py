"""The elastic layers alone: what a cut computes, that its views are never stale, banks, and extraction."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm1d, BatchNorm2d
from specc.ops.conv.torch import Conv2d, ConvCut
from specc.ops.linear.torch import Linear, LinearCut
from specc.runtime.net.plan import Cut
from specc.runtime.net.sizes import OneOf
from tests.helpers.layers import CHANGES, scrambled


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_cut_convolution_uses_the_first_channels() -> None:
    conv = Conv2d(8, 12, 3, stride=2, padding=1)
    x = torch.randn(2, 4, 9, 9)
    expected = F.conv2d(x, conv.weight[:6, :4], conv.bias[:6] if conv.bias is not None else None, 2, 1)
    assert torch.equal(conv(x, conv.cut(4, 6)), expected)


def test_a_depthwise_convolution_keeps_whole_groups() -> None:
    conv = Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
    x = torch.randn(2, 5, 6, 6)
    assert torch.equal(conv(x, conv.cut(5, 5)), F.conv2d(x, conv.weight[:5], None, 1, 1, 1, 5))


def test_a_grouped_convolution_keeps_the_size_of_its_groups() -> None:
    conv = Conv2d(12, 24, 3, padding=1, groups=6)
    x = torch.randn(1, 8, 5, 5)
    cut = conv.cut(8, 16)
    assert cut is not None
    assert cut.groups == 4
    assert conv(x, cut).shape == (1, 16, 5, 5)
    assert torch.equal(conv.extracted(cut)(x), conv(x, cut))


def test_a_smaller_kernel_is_the_centre_of_the_largest() -> None:
    conv = Conv2d(3, 4, 7, padding=3, bias=False)
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(conv(x, conv.cut(3, 4, 3)), F.conv2d(x, conv.weight[:, :, 2:5, 2:5], None, 1, 1))
    assert torch.equal(conv(x, conv.cut(3, 4, 3, 0)), F.conv2d(x, conv.weight[:, :, 2:5, 2:5], None, 1, 0))


def test_a_border_narrows_with_the_kernel_as_far_as_it_reaches() -> None:
    conv = Conv2d(3, 4, 5, stride=2, padding=5, dilation=2, bias=False)
    x = torch.randn(1, 3, 9, 9)
    assert torch.equal(conv(x, conv.cut(3, 4, 3)), F.conv2d(x, conv.weight[:, :, 1:4, 1:4], None, 2, 3, 2))


def test_nothing_cut_off_is_no_cut() -> None:
    assert Conv2d(3, 4, 5, padding=2).cut(3, 4, 5, 2) is None
    assert Linear(3, 4).cut(3, 4) is None


def test_a_cut_linear_layer() -> None:
    linear = Linear(6, 8)
    x = torch.randn(3, 4)
    cut = linear.cut(4, 5)
    assert torch.equal(linear(x, cut), F.linear(x, linear.weight[:5, :4], linear.bias[:5]))
    assert cut is not None
    assert torch.equal(linear.extracted(cut)(x), linear(x, cut))


LAYERS: tuple[tuple[Callable[[], nn.Module], tuple[int, ...], tuple[int, ...]], ...] = (
    (lambda: Conv2d(6, 8, 3, padding=1), (4, 6), (2, 4, 5, 5)),
    (lambda: Linear(6, 8), (4, 6), (2, 4)),
    (lambda: BatchNorm2d(6), (4,), (2, 4, 5, 5)),
)


def fresh_result(layer: nn.Module, cut: Cut, x: Tensor) -> Tensor:
    """What the layer gives with a cut that has no memory."""
    result: Tensor = layer(x, pickle.loads(pickle.dumps(cut)))
    return result


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", range(len(LAYERS)), ids=["conv", "linear", "norm"])
def test_remembered_views_are_never_stale(kind: int, change: str) -> None:
    make, sizes, shape = LAYERS[kind]
    layer = scrambled(make()).eval()
    x = torch.randn(shape)
    cut = layer.cut(*sizes)  # type: ignore[operator]
    with torch.no_grad():
        before = layer(x, cut)
        assert cut._memory[0]
        changed = CHANGES[change](layer)
        x = x.to(next(changed.parameters()).dtype)
        after = changed(x, cut)
        assert torch.equal(after, fresh_result(changed, cut, x))
        assert not torch.equal(after, before.to(after.dtype)) or change == "another type"


def test_views_serve_two_networks_in_turn() -> None:
    one, two = scrambled(Linear(6, 8)), scrambled(Linear(6, 8))
    x = torch.randn(2, 4)
    cut = LinearCut(4, 6)
    with torch.no_grad():
        for layer in (one, two, one, one, two):
            assert torch.equal(layer(x, cut), fresh_result(layer, cut, x))


def test_training_slices_the_parameters_themselves() -> None:
    conv = Conv2d(6, 8, 3, padding=1)
    cut = conv.cut(4, 6)
    with torch.no_grad():
        conv(torch.randn(1, 4, 5, 5), cut)
    conv(torch.randn(1, 4, 5, 5), cut).sum().backward()
    assert conv.weight.grad is not None
    assert conv.weight.grad[:6, :4].abs().sum() > 0
    assert conv.weight.grad[6:].abs().sum() == 0
    assert conv.weight.grad[:, 4:].abs().sum() == 0


def test_meta_tensors_are_not_remembered() -> None:
    with torch.device("meta"):
        conv = Conv2d(6, 8, 3)
        cut = conv.cut(4, 6)
        assert cut is not None
        with torch.no_grad():
            conv(torch.randn(1, 4, 5, 5), cut)
    assert cut._memory == ((), ())


def test_a_kernel_of_height_and_width_is_cut_on_both_sides() -> None:
    height, width = OneOf(1, 3, 5), OneOf(3, 7)
    conv = Conv2d(6, 8, (height, width), stride=(2, 1), padding=(height // 2, width // 2), dilation=(1, 2))
    x = torch.randn(2, 4, 20, 20)
    assert conv.bias is not None
    weight, bias = conv.weight[:5, :4, 1:4, 2:5], conv.bias[:5]  # 3 of 5 taps, 3 of 7
    expected = F.conv2d(x, weight, bias, (2, 1), (1, 1), (1, 2))
    cut = conv.cut(4, 5, (3, 3), (1, 1))
    assert torch.equal(conv(x, cut), expected)
    plain = conv.extracted(cut)
    assert (plain.kernel_size, plain.stride, plain.padding, plain.dilation) == ((3, 3), (2, 1), (1, 1), (1, 2))
    assert torch.allclose(plain(x), expected)
    assert conv.cut(6, 8, (5, 7), (2, 3)) is None
    without = Conv2d(6, 8, (5, 7), padding=(2, 3)).cut(4, 5, (3, 3))  # the border as much narrower as the kernel
    assert without is not None
    assert without.padding == (1, 1)


def test_cuts_are_immutable_and_travel_without_their_views() -> None:
    conv = Conv2d(6, 8, 3)
    cut = ConvCut(4, 6, (3, 3), 1, (0, 0))
    with torch.no_grad():
        conv(torch.randn(1, 4, 5, 5), cut)
    with pytest.raises(AttributeError, match="immutable"):
        cut.out = 3
    again = pickle.loads(pickle.dumps(cut))
    assert again.values() == cut.values()
    assert again._memory == ((), ())
    assert copy.deepcopy(cut) is cut
    assert repr(cut) == "ConvCut(in_=4, out=6, kernel=(3, 3), groups=1, padding=(0, 0))"


def test_a_norm_in_train_mode_updates_what_is_active() -> None:
    norm, plain = BatchNorm2d(6), nn.BatchNorm2d(4)
    x = torch.randn(8, 4, 3, 3)
    assert torch.allclose(norm(x, norm.cut(4)), plain(x), atol=1e-6)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert plain.running_mean is not None
    assert plain.running_var is not None
    assert torch.allclose(norm.running_mean[:4], plain.running_mean)
    assert torch.allclose(norm.running_var[:4], plain.running_var)
    assert norm.running_mean[4:].abs().sum() == 0
    assert norm.num_batches_tracked == plain.num_batches_tracked == 1


def test_a_norm_without_momentum_averages_over_batches() -> None:
    norm, plain = BatchNorm2d(4, momentum=None), nn.BatchNorm2d(4, momentum=None)
    for _ in range(3):
        x = torch.randn(8, 4, 3, 3)
        norm(x, norm.cut(4))
        plain(x)
    assert norm.running_mean is not None
    assert plain.running_mean is not None
    assert torch.allclose(norm.running_mean, plain.running_mean)


def test_a_norm_takes_vectors() -> None:
    norm = BatchNorm1d(6).eval()
    x = torch.randn(5, 4)
    cut = norm.cut(4)
    assert isinstance(norm.extracted(cut), nn.BatchNorm1d)
    assert torch.equal(norm.extracted(cut)(x), norm(x, cut))


def test_calibrated_statistics_override_the_running_ones() -> None:
    norm = BatchNorm2d(6).eval()
    x = torch.randn(5, 4, 2, 2)
    cut = norm.cut(4).calibrated(torch.full((4,), 2.0), torch.full((4,), 4.0))
    with torch.no_grad():
        for _ in range(2):
            assert torch.allclose(norm(x, cut), (x - 2) / (4 + norm.eps) ** 0.5, atol=1e-6)
        assert torch.equal(norm.extracted(cut)(x), norm(x, cut))


def test_banks_have_parameters_and_statistics_of_their_own() -> None:
    norm: Any = BatchNorm2d(6, banks=2)
    assert [name for name, _ in norm.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    norm(torch.randn(4, 6, 2, 2), norm.cut(6, True)).sum().backward()
    first, second = norm
    assert isinstance(first, BatchNorm2d)
    assert isinstance(second, BatchNorm2d)
    assert first.weight.grad is None
    assert second.weight.grad is not None
    assert first.num_batches_tracked == 0
    assert second.num_batches_tracked == 1


def test_extraction_draws_no_random_numbers() -> None:
    layers = [Conv2d(6, 8, 3), Linear(6, 8), BatchNorm2d(6)]
    state = torch.get_rng_state()
    for layer in layers:
        layer.extracted(None)  # type: ignore[operator]
    assert torch.equal(torch.get_rng_state(), state)
