"""Triangular layers in torch: what they compute, their zeros through training and checkpoints, their plain twins."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.ops.triangular.torch import BlockConv2d, BlockLinear, DiagonalLinear, TriangularConv2d, TriangularLinear
from specc.space.functions import seen

torch.set_num_threads(1)


def layers() -> list[Any]:
    torch.manual_seed(0)
    return [
        TriangularConv2d(9, 14, 3, padding=1, least_in=3, least_out=4),
        BlockConv2d(8, 12, 3, padding=1, blocks=4, bias=False),
        TriangularLinear(9, 14, least_in=3, least_out=4),
        BlockLinear(8, 12, blocks=4),
    ]


def hidden(layer: Any) -> Tensor:
    """Where the weight has to be zero, from the definition."""
    outputs, inputs = layer.weight.shape[:2]
    mask = torch.zeros(outputs, inputs, dtype=torch.bool)
    for o in range(outputs):
        blocks = getattr(layer, "blocks", 0)
        sees = (o * blocks // outputs + 1) * inputs // blocks if blocks else seen(o, inputs, outputs, 3, 4)
        mask[o, sees:] = True
    return mask


def at_zero(layer: Any) -> bool:
    return bool((layer.weight[hidden(layer)] == 0).all())


def image(layer: Any, channels: int) -> Tensor:
    shape = (2, channels, 5, 5) if isinstance(layer, nn.Conv2d) else (2, channels)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("index", range(4))
def test_zeros_from_the_start_through_training_and_bad_checkpoints(index: int) -> None:
    layer = layers()[index]
    assert at_zero(layer)
    assert int((layer.weight == 0).sum()) == int(hidden(layer).sum()) * layer.weight[0, 0].numel()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)
    sizes = [(layer.weight.shape[1], layer.weight.shape[0]), (layer.weight.shape[1] // 2, layer.weight.shape[0] // 2)]
    for _ in range(3):
        optimizer.zero_grad()
        for inputs, outputs in sizes:
            layer(image(layer, inputs), layer.cut(inputs, outputs)).square().sum().backward()
        assert bool((layer.weight.grad[hidden(layer)] == 0).all())
        optimizer.step()
        assert at_zero(layer)
    bad = copy.deepcopy(layer.state_dict())
    bad["weight"].fill_(float("nan"))
    layer.load_state_dict(bad)
    assert at_zero(layer)
    assert list(layer.state_dict()) == list(bad)  # the mask is in no checkpoint
    nn.init.ones_(layer.weight)
    layer.keep_zeros()
    assert at_zero(layer)
    nn.init.ones_(layer.weight)
    assert at_zero(layer.train())


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("gradients", [True, False])
def test_the_answer_is_that_of_the_masked_weight(index: int, gradients: bool) -> None:
    layer = layers()[index]
    outputs, inputs = layer.weight.shape[:2]
    blocks = getattr(layer, "blocks", 0)
    cuts = [(inputs, outputs), (inputs // 2, outputs // 2)] if blocks else [(9, 14), (3, 4), (5, 8)]
    for wide, high in cuts:
        cut, x = layer.cut(wide, high), image(layer, wide)
        weight = layer.weight.masked_fill(hidden(layer).view(outputs, inputs, *[1] * (layer.weight.dim() - 2)), 0.0)
        bias = None if layer.bias is None else layer.bias[:high]
        function: Any = nn.functional.conv2d if isinstance(layer, nn.Conv2d) else nn.functional.linear
        extra = {"padding": 1} if isinstance(layer, nn.Conv2d) else {}
        with torch.set_grad_enabled(gradients):
            y = layer(x, cut)
        torch.testing.assert_close(y, function(x, weight[:high, :wide], bias, **extra), rtol=1e-5, atol=1e-6)
        plain = layer.extracted(cut)
        assert type(plain) in (nn.Conv2d, nn.Linear)
        torch.testing.assert_close(plain(x), y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("index", [1, 3])
def test_nothing_of_a_later_block_reaches_an_earlier_one(index: int) -> None:
    layer = layers()[index]
    x = image(layer, 8)
    clean = layer(x)
    with torch.no_grad():
        x[:, 4:] = float("nan")
        layer.weight[6:] = float("inf")
    torch.testing.assert_close(layer(x)[:, :6], clean[:, :6])
    assert bool(layer(x)[:, 6:].isnan().all())


def test_diagonal_blocks_of_a_linear_layer() -> None:
    torch.manual_seed(0)
    layer = DiagonalLinear(8, 12, blocks=4)
    x = torch.randn(3, 8)
    weight = torch.block_diag(*(layer.weight[i : i + 3] for i in range(0, 12, 3)))  # type: ignore[no-untyped-call]
    assert layer.weight.shape == (12, 2)
    torch.testing.assert_close(layer(x), x @ weight.T + layer.bias)
    cut = layer.cut(4, 6)
    torch.testing.assert_close(layer(x[:, :4], cut), (x[:, :4] @ weight[:6, :4].T) + layer.bias[:6])
    torch.testing.assert_close(layer.extracted(cut)(x[:, :4]), layer(x[:, :4], cut))
    torch.testing.assert_close(layer.added(x[:, 4:6], 6), layer(x)[:, 6:9])


def test_a_part_of_a_triangle_keeps_the_whole_ones_shape() -> None:
    whole = TriangularConv2d(9, 14, 1, least_in=3, least_out=4)
    part = TriangularConv2d(5, 8, 1, least_in=3, least_out=4, most_in=9, most_out=14)
    assert torch.equal(part.mask, whole.mask[:8, :5])
    assert not torch.equal(part.mask, TriangularConv2d(5, 8, 1, least_in=3, least_out=4).mask)
