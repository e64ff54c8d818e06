"""Layers on channels in several runs, against the same layer sliced by hand; stochastic depth against torchvision's."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from specc.ops.drop_path.torch import DropPath
from specc.ops.segmented.torch import (
    SegmentedBatchNorm1d,
    SegmentedBatchNorm2d,
    SegmentedConv2d,
    SegmentedLinear,
)
from specc.ops.segmented_group_norm.torch import SegmentedGroupNorm
from specc.ops.segmented_layer_norm.torch import SegmentedLayerNorm
from specc.runtime.layers.segments import gathered, runs
from specc.runtime.net.extract import extract
from tests.helpers.layers import CHANGES, scrambled

SIZES = (4, 6, 3)
COUNTS = (2, 6, 1)
KEPT = torch.tensor([0, 1, 4, 5, 6, 7, 8, 9, 10])
"""The active channels of 4 + 6 + 3: two of the first run, all of the second, one of the third."""


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_runs_that_touch_are_one() -> None:
    assert runs((4, 6, 3), SIZES) == ((0, 13),)
    assert runs((4, 2, 3), SIZES) == ((0, 6), (10, 3))
    assert runs(COUNTS, SIZES) == ((0, 2), (4, 7))
    assert runs((2, 1, 1), SIZES) == ((0, 2), (4, 1), (10, 1))


def test_gathering_what_lies_together_copies_nothing() -> None:
    weight = torch.randn(5, 13)
    assert gathered(weight, ((2, 4),), 1).data_ptr() == weight[:, 2:].data_ptr()
    assert torch.equal(gathered(weight, runs(COUNTS, SIZES), 1), weight[:, KEPT])


@pytest.mark.parametrize("out", [8, 5])
@pytest.mark.parametrize("grad", [True, False])
def test_a_convolution_reads_the_first_channels_of_every_run(out: int, grad: bool) -> None:
    conv = SegmentedConv2d(SIZES, 8, 3, stride=2, padding=1)
    assert conv.bias is not None
    x = torch.randn(2, 9, 7, 7)
    cut = conv.cut(COUNTS, out)
    expected = F.conv2d(x, conv.weight[:out][:, KEPT], conv.bias[:out], 2, 1)
    with torch.set_grad_enabled(grad):
        for _ in range(2):
            assert torch.equal(conv(x, cut), expected)
    assert torch.equal(conv.extracted(cut)(x), expected)


def test_nothing_cut_off_is_no_cut() -> None:
    assert SegmentedConv2d(SIZES, 8, 3).cut(SIZES, 8) is None
    assert SegmentedConv2d(SIZES, SIZES, 3, groups=13).cut(SIZES, SIZES) is None
    assert SegmentedLinear(SIZES, 4).cut(SIZES, 4) is None


def test_a_smaller_kernel_is_the_centre_of_the_largest() -> None:
    conv = SegmentedConv2d(SIZES, 8, 5, padding=2, bias=False)
    x = torch.randn(1, 9, 7, 7)
    assert torch.equal(conv(x, conv.cut(COUNTS, 8, 3, 1)), F.conv2d(x, conv.weight[:, KEPT, 1:4, 1:4], None, 1, 1))


def test_a_depthwise_convolution_keeps_the_runs() -> None:
    conv = SegmentedConv2d(SIZES, SIZES, 3, padding=1, groups=13)
    assert conv.bias is not None
    x = torch.randn(2, 9, 5, 5)
    cut = conv.cut(COUNTS, COUNTS)
    expected = F.conv2d(x, conv.weight[KEPT], conv.bias[KEPT], 1, 1, 1, 9)
    assert torch.equal(conv(x, cut), expected)
    assert torch.equal(conv.extracted(cut)(x), expected)


def test_a_grouped_convolution_keeps_whole_groups_of_every_run() -> None:
    """Groups of two inputs and four outputs: one of the first run's two stays, and both of the second's."""
    conv = SegmentedConv2d((4, 4), (8, 8), 3, padding=1, groups=4, bias=False)
    x = torch.randn(2, 6, 5, 5)
    rows = torch.tensor([*range(4), *range(8, 16)])
    cut = conv.cut((2, 4), (4, 8))
    assert torch.equal(conv(x, cut), F.conv2d(x, conv.weight[rows], None, 1, 1, 1, 3))
    assert torch.equal(conv.extracted(cut)(x), conv(x, cut))


def test_a_linear_layer_on_vectors_and_tokens() -> None:
    linear = SegmentedLinear(SIZES, 8)
    cut = linear.cut(COUNTS, 5)
    for x in (torch.randn(3, 9), torch.randn(3, 4, 9)):
        expected = F.linear(x, linear.weight[:5][:, KEPT], linear.bias[:5])
        assert torch.equal(linear(x, cut), expected)
        with torch.no_grad():
            assert torch.equal(linear(x, cut), expected)
        assert torch.equal(linear.extracted(cut)(x), expected)


def twin(norm: nn.Module, width: int, kept: Tensor) -> nn.BatchNorm2d:
    """A plain norm of some of the channels."""
    plain = nn.BatchNorm2d(width)
    with torch.no_grad():
        for name, tensor in plain.state_dict().items():
            tensor.copy_(norm.state_dict()[name] if tensor.dim() == 0 else norm.state_dict()[name][kept])
    return plain


@pytest.mark.parametrize("counts", [COUNTS, (4, 2, 3), (4, 6, 1), SIZES])
def test_a_norm_in_train_mode_puts_statistics_where_they_belong(counts: tuple[int, ...]) -> None:
    norm = scrambled(SegmentedBatchNorm2d(SIZES))
    kept = torch.cat([torch.arange(start, start + n) for start, n in zip((0, 4, 10), counts)])
    plain = twin(norm, len(kept), kept)
    before = copy.deepcopy(norm.state_dict())
    x = torch.randn(8, len(kept), 3, 3)
    y, expected = norm(x, norm.cut(counts)), plain(x)  # type: ignore[operator]
    assert torch.allclose(y, expected, atol=1e-6)
    y.square().sum().backward()
    expected.square().sum().backward()
    rest = torch.tensor([i for i in range(13) if i not in kept.tolist()], dtype=torch.long)
    for name in ("running_mean", "running_var"):
        assert torch.allclose(norm.state_dict()[name][kept], plain.state_dict()[name])
        assert torch.equal(norm.state_dict()[name][rest], before[name][rest])
    for name, parameter in norm.named_parameters():
        grad = parameter.grad
        assert grad is not None
        assert torch.allclose(grad[kept], dict(plain.named_parameters())[name].grad, atol=1e-5)  # type: ignore[arg-type]
        assert grad[rest].abs().sum() == 0
    assert norm.num_batches_tracked == before["num_batches_tracked"] + 1


def test_a_norm_in_eval_mode_reads_the_first_channels_of_every_run() -> None:
    norm = scrambled(SegmentedBatchNorm2d(SIZES)).eval()
    plain = twin(norm, 9, KEPT).eval()
    x = torch.randn(3, 9, 2, 2)
    cut = norm.cut(COUNTS)  # type: ignore[operator]
    with torch.no_grad():
        for _ in range(2):
            assert torch.equal(norm(x, cut), plain(x))
    assert torch.equal(norm(x, cut), plain(x))
    assert torch.equal(norm.extracted(cut)(x), plain(x))  # type: ignore[operator]
    vectors = SegmentedBatchNorm1d(SIZES).eval()
    assert isinstance(vectors.extracted(vectors.cut(COUNTS)), nn.BatchNorm1d)


def test_calibrated_statistics_keep_the_runs() -> None:
    norm = SegmentedBatchNorm2d(SIZES).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.arange(13.0))
    x = torch.randn(5, 9, 2, 2)
    cut = norm.cut(COUNTS).calibrated(torch.full((9,), 2.0), torch.full((9,), 4.0))
    expected = (x - 2) / (4 + norm.eps) ** 0.5 * KEPT.float()[:, None, None]
    with torch.no_grad():
        assert torch.allclose(norm(x, cut), expected, atol=1e-5)
        assert torch.equal(norm.extracted(cut)(x), norm(x, cut))
    again = pickle.loads(pickle.dumps(cut))
    assert again.runs == ((0, 2), (4, 7))


def test_training_is_seen_by_what_is_remembered() -> None:
    """torch counts no changes of running statistics, so that a norm could keep on using what it gathered before."""
    norm = scrambled(SegmentedBatchNorm2d(SIZES))
    assert isinstance(norm, SegmentedBatchNorm2d)
    x = torch.randn(5, 9, 2, 2)
    cut = norm.cut(COUNTS)
    for other in (norm.cut(COUNTS), norm.cut(SIZES)):
        with torch.no_grad():
            before = norm.eval()(x, cut)
            norm.train()(torch.randn(5, other.features, 2, 2), other)
            after = norm.eval()(x, cut)
        assert not torch.equal(before, after)
        assert torch.equal(after, norm(x, norm.cut(COUNTS)))


def test_what_fused_optimizers_write_is_seen() -> None:
    """torch does not count these changes: between gradients and the step that uses them nothing is remembered."""
    conv = scrambled(SegmentedConv2d(SIZES, 8, 1))
    cut, x = conv.cut(COUNTS, 8), torch.randn(2, 9, 3, 3)  # type: ignore[operator]
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.5, fused=True)
    conv(x, cut).square().mean().backward()
    with torch.no_grad():
        before = [conv(x, cut) for _ in range(2)][1]
    optimizer.step()
    with torch.no_grad():
        after = conv(x, cut)
        assert not torch.equal(before, after)
        assert torch.equal(after, conv(x, conv.cut(COUNTS, 8)))  # type: ignore[operator]
        optimizer.zero_grad()
        assert torch.equal(conv(x, cut), after)


@pytest.mark.parametrize("grad", [True, False])
def test_layer_and_group_norms_read_the_first_channels_of_every_run(grad: bool) -> None:
    layer = scrambled(SegmentedLayerNorm(SIZES))
    assert isinstance(layer, SegmentedLayerNorm)
    cut, x = layer.cut(COUNTS), torch.randn(3, 4, 9)
    expected = F.layer_norm(x, (9,), layer.weight[KEPT], layer.bias[KEPT])
    group = scrambled(SegmentedGroupNorm(6, (4, 6, 2)))
    assert isinstance(group, SegmentedGroupNorm)
    group_cut, y = group.cut((2, 6, 0)), torch.randn(3, 8, 5, 5)
    rows = torch.tensor([0, 1, 4, 5, 6, 7, 8, 9])
    group_expected = F.group_norm(y, 4, group.weight[rows], group.bias[rows])
    with torch.set_grad_enabled(grad):
        for _ in range(2):
            assert torch.equal(layer(x, cut), expected)
            assert torch.equal(group(y, group_cut), group_expected)
    assert torch.equal(layer.extracted(cut)(x), expected)
    assert torch.equal(group.extracted(group_cut)(y), group_expected)
    assert layer.cut(SIZES) is None
    assert group.cut((4, 6, 2)) is None


def test_banks_of_layer_and_group_norms_are_cut_alike() -> None:
    x = torch.randn(4, 9)
    norms: tuple[Any, ...] = (SegmentedLayerNorm(SIZES, banks=2), SegmentedGroupNorm(13, SIZES, banks=2))
    for norm in norms:
        cut = norm.cut(COUNTS, 1)
        norm(x, cut).square().sum().backward()
        grads = [parameter.grad is not None for parameter in norm.parameters()]
        assert grads == [False, False, True, True]
        assert torch.equal(norm.extracted(cut)(x), norm(x, cut))


def test_banks_are_cut_alike() -> None:
    norm: Any = SegmentedBatchNorm2d(SIZES, banks=2)
    norm(torch.randn(4, 9, 2, 2), norm.cut(COUNTS, 1)).sum().backward()
    first, second = norm
    assert isinstance(first, SegmentedBatchNorm2d)
    assert isinstance(second, SegmentedBatchNorm2d)
    assert first.weight.grad is None
    assert second.weight.grad is not None
    assert norm.extracted(norm.cut(COUNTS, 1)).num_features == 9


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...], tuple[int, ...]]] = {
    "conv": (lambda: SegmentedConv2d(SIZES, 8, 3, padding=1), (COUNTS, 6), (2, 9, 5, 5)),
    "linear": (lambda: SegmentedLinear(SIZES, 8), (COUNTS, 6), (2, 9)),
    "norm": (lambda: SegmentedBatchNorm2d(SIZES), (COUNTS,), (2, 9, 5, 5)),
    "layer norm": (lambda: SegmentedLayerNorm(SIZES), (COUNTS,), (2, 9)),
    "group norm": (lambda: SegmentedGroupNorm(13, SIZES), (COUNTS,), (2, 9, 5, 5)),
}


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "data overwritten"])
@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_gathered_is_never_stale(kind: str, change: str) -> None:
    make, sizes, shape = LAYERS[kind]
    layer: nn.Module = scrambled(make()).eval()
    x = torch.randn(shape)
    cut = layer.cut(*sizes)  # type: ignore[operator]
    with torch.no_grad():
        before = layer(x, cut)
        assert cut._memory[0]
        layer = CHANGES[change](layer)
        x = x.to(next(layer.parameters()).dtype)
        after = layer(x, cut)
        assert torch.equal(after, layer(x, pickle.loads(pickle.dumps(cut))))
        assert not torch.equal(after, before.to(after.dtype)) or change == "another type"


def test_the_steps_of_fused_optimizers_are_seen() -> None:
    """They change parameters without torch's counting it."""
    linear = SegmentedLinear(SIZES, 8)
    cut = linear.cut(COUNTS, 6)
    optimizer = torch.optim.SGD(linear.parameters(), 0.5, fused=True)
    x = torch.randn(2, 9)
    with torch.no_grad():
        before = linear(x, cut)
    linear(torch.randn(2, 13)).sum().backward()
    version = linear.weight._version
    optimizer.step()
    assert linear.weight._version == version
    with torch.no_grad():
        after = linear(x, cut)
    assert torch.equal(after, F.linear(x, linear.weight[:6][:, KEPT], linear.bias[:6]))
    assert not torch.equal(before, after)


def test_tensors_of_inference_mode_are_gathered_each_time() -> None:
    with torch.inference_mode():
        linear = SegmentedLinear(SIZES, 8)
        cut = linear.cut(COUNTS, 6)
        x = torch.randn(2, 9)
        assert torch.equal(linear(x, cut), F.linear(x, linear.weight[:6][:, KEPT], linear.bias[:6]))
        assert cut is not None
        assert cut._memory == ((), ())


@pytest.mark.parametrize("shape", [(64, 3), (64, 3, 5), (64, 3, 5, 5)])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.7])
def test_stochastic_depth_is_torchvisions(rate: float, shape: tuple[int, ...]) -> None:
    ours, theirs = DropPath(rate), StochasticDepth(rate, "row")
    x = torch.randn(shape, requires_grad=True)
    torch.manual_seed(3)
    y = ours(x)
    torch.manual_seed(3)
    assert torch.equal(y, theirs(x))
    assert (y.flatten(1).abs().sum(1) == 0).float().mean().sub(rate).abs() < 0.2
    assert ours.eval()(x) is x
    whole = nn.Sequential(ours, nn.ReLU())
    extracted = extract(whole).get_submodule("0")  # kept where a sub-network is trained further, nothing in use
    assert isinstance(extracted, DropPath)
    assert extracted is not ours
    assert extracted.rate == rate
    assert extracted.eval()(x) is x
    assert isinstance(extract(whole, fold=True).get_submodule("0"), nn.Identity)
