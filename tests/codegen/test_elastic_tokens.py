"""The elastic layers of transformers alone, and group norm: what a cut computes, banks, and extraction."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.attention.torch import Attention, AttentionCut, ElasticAttention
from specc.ops.class_token.torch import ClassToken, ElasticClassToken
from specc.ops.group_norm.torch import GroupNorm
from specc.ops.layer_norm.torch import LayerNorm
from specc.ops.position.torch import ElasticPosition, Position


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def scrambled(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return layer


def torchs(attention: Attention | ElasticAttention, features: int, heads: int) -> nn.MultiheadAttention:
    """torch's own attention with the same weights."""
    other = nn.MultiheadAttention(features, heads, batch_first=True)
    other.load_state_dict(
        {
            "in_proj_weight": attention.qkv.weight,
            "in_proj_bias": attention.qkv.bias,
            "out_proj.weight": attention.out.weight,
            "out_proj.bias": attention.out.bias,
        }
    )
    return other


def attended(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    result: Tensor = attention(x, x, x, need_weights=False)[0]
    return result


def test_attention_is_torchs() -> None:
    attention = Attention(24, 4)
    scrambled(attention)
    x = torch.randn(2, 7, 24)
    torch.testing.assert_close(attention(x), attended(torchs(attention, 24, 4), x))


def test_attention_starts_as_torchs() -> None:
    ours, theirs = Attention(48, 4), nn.MultiheadAttention(48, 4)
    assert theirs.in_proj_weight is not None
    assert float(ours.qkv.weight.detach().std()) == pytest.approx(float(theirs.in_proj_weight.detach().std()), rel=0.05)
    assert float(ours.out.weight.detach().std()) == pytest.approx(
        float(theirs.out_proj.weight.detach().std()), rel=0.05
    )
    assert not ours.qkv.bias.any()
    assert not ours.out.bias.any()


def test_a_narrow_attention_is_the_first_heads_on_the_first_features() -> None:
    attention = ElasticAttention(24, 4)
    scrambled(attention)
    x = torch.randn(2, 7, 12)
    cut = attention.cut(12)
    assert cut is not None
    assert cut.values() == (12, 2, 6)
    narrow = Attention(12, 2)
    thirds = [slice(24 * i, 24 * i + 12) for i in range(3)]
    narrow.load_state_dict(
        {
            "qkv.weight": torch.cat([attention.qkv.weight[rows, :12] for rows in thirds]),
            "qkv.bias": torch.cat([attention.qkv.bias[rows] for rows in thirds]),
            "out.weight": attention.out.weight[:12, :12],
            "out.bias": attention.out.bias[:12],
        }
    )
    torch.testing.assert_close(attention(x, cut), narrow(x))


def test_fewer_heads_at_full_width_are_those_heads_alone() -> None:
    """The output projection adds up what the heads say, so other heads' columns at zero leave the first ones."""
    attention = ElasticAttention(24, 4)
    scrambled(attention)
    x = torch.randn(2, 7, 24)
    alone = copy.deepcopy(attention)
    with torch.no_grad():
        alone.out.weight[:, 12:] = 0
    torch.testing.assert_close(attention(x, attention.cut(24, 2)), alone(x))


def test_nothing_cut_off_is_no_cut() -> None:
    assert ElasticAttention(24, 4).cut(24) is None
    assert ElasticAttention(24, 4).cut(24, 4) is None
    assert LayerNorm(8).cut(8) is None
    assert GroupNorm(2, 8).cut(8) is None
    assert ElasticClassToken(8).cut(8) is None
    assert ElasticPosition(4, 8).cut(8) is None


def test_a_layer_norm_takes_mean_and_variance_of_the_active_features() -> None:
    norm = scrambled(LayerNorm(8, eps=1e-3))
    assert isinstance(norm, LayerNorm)
    x, cut = torch.randn(2, 5, 6), norm.cut(6)
    expected = F.layer_norm(x, (6,), norm.weight[:6], norm.bias[:6], 1e-3)
    assert torch.equal(norm(x, cut), expected)
    extracted = norm.extracted(cut)
    assert type(extracted) is nn.LayerNorm
    assert torch.equal(extracted(x), expected)


def test_a_group_norm_keeps_the_size_of_its_groups() -> None:
    norm = scrambled(GroupNorm(4, 16))
    assert isinstance(norm, GroupNorm)
    x, cut = torch.randn(2, 8, 3, 3), norm.cut(8)
    expected = F.group_norm(x, 2, norm.weight[:8], norm.bias[:8])
    assert torch.equal(norm(x, cut), expected)
    extracted = norm.extracted(cut)
    assert type(extracted) is nn.GroupNorm
    assert torch.equal(extracted(x), expected)


@pytest.mark.parametrize("norm", [LayerNorm(8, banks=3), GroupNorm(4, 8, banks=3)], ids=["layer", "group"])
def test_banks_have_parameters_of_their_own(norm: Any) -> None:
    assert [name for name, _ in norm.named_parameters()][:3] == ["0.weight", "0.bias", "1.weight"]
    norm.zero_grad()
    x, cut = torch.randn(2, 4), norm.cut(4, True)
    norm(x, cut).square().sum().backward()
    assert [bank.weight.grad is not None for bank in norm] == [False, True, False]
    assert torch.equal(norm.extracted(cut)(x), norm(x, cut))


@pytest.mark.parametrize("norm", [LayerNorm(8), GroupNorm(4, 8)], ids=["layer", "group"])
def test_remembered_views_are_never_stale(norm: LayerNorm | GroupNorm) -> None:
    x, cut = torch.randn(2, 4), norm.cut(4)
    assert cut is not None
    with torch.no_grad():
        norm(x, cut)
        assert cut._memory[0]
        scrambled(norm)
        assert torch.equal(norm(x, cut), norm(x, pickle.loads(pickle.dumps(cut))))
        other = scrambled(copy.deepcopy(norm)).double()
        assert torch.equal(other(x.double(), cut), other(x.double(), pickle.loads(pickle.dumps(cut))))


def test_tokens_and_positions_of_a_sub_network() -> None:
    token, position = scrambled(ElasticClassToken(8)), scrambled(ElasticPosition(4, 8))
    assert isinstance(token, ElasticClassToken)
    assert isinstance(position, ElasticPosition)
    x = torch.randn(2, 3, 6)
    y = token(x, token.cut(6))
    assert torch.equal(y[:, 0], token.weight[0, :, :6].expand(2, 6))
    assert torch.equal(y[:, 1:], x)
    assert torch.equal(position(y, position.cut(6)), y + position.weight[:, :, :6])
    assert torch.equal(token.extracted(token.cut(6))(x), y)
    assert torch.equal(position.extracted(position.cut(6))(y), position(y, position.cut(6)))
    assert not isinstance(token.extracted(None), ElasticClassToken)
    assert not isinstance(position.extracted(None), ElasticPosition)


def test_tokens_start_as_zeros_and_positions_near_them() -> None:
    assert not ClassToken(64).weight.any()
    assert float(Position(50, 64).weight.detach().std()) == pytest.approx(0.02, rel=0.05)


def test_extraction_draws_no_random_numbers() -> None:
    layers = (LayerNorm(8), GroupNorm(2, 8), ElasticClassToken(8), ElasticPosition(3, 8))
    qkv = ElasticAttention(8, 2).qkv
    state = torch.get_rng_state()
    for layer in layers:
        layer.extracted(None)
    qkv.extracted(AttentionCut(4, 1, 4))
    assert torch.equal(torch.get_rng_state(), state)
