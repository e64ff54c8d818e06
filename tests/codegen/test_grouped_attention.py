"""Attention with heads of a size of their own, shared keys and values, normalised queries, and without biases."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.cost import cost
from specc.ops.grouped_attention.torch import ElasticGroupedAttention, GroupedAttention, GroupedAttentionCut
from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import part
from tests.helpers.projects import from_text, project
from tests.helpers.transformers import check

torch.set_num_threads(1)

EVERYTHING = "head_dim=8, kv_heads=2, bias=no, out_bias=no, qk_norm=rms, qk_eps=1e-5"


def spec(attention: str, settings: str = "") -> str:
    """A small transformer on images of 16 x 16: 16 patches of 24 features."""
    return (
        f"supernet small {{\n  input image(3, 16, 16)\n  classes 5\n  norm layer\n{settings}"
        f"  stem {{ patch_embed(4, dim=24) }}\n  stage s {{ residual {{ norm; attention({attention}) }} }}\n"
        "  head { norm; take(mean); linear(classes) }\n}\n"
    )


def by_hand(x: Tensor, state: dict[str, Tensor], heads: int, kv_heads: int, norm: str, eps: float) -> Tensor:
    """Torch's own attention with shared keys and values, between projections that are written out."""
    d = state["out.weight"].shape[1] // heads
    rows = [heads * d, kv_heads * d, kv_heads * d]
    biases = torch.split(state["qkv.bias"], rows) if "qkv.bias" in state else (None,) * 3
    weights = torch.split(state["qkv.weight"], rows)
    q, k, v = (
        F.linear(x, weight, bias).view(*x.shape[:2], -1, d).transpose(1, 2)
        for weight, bias in zip(weights, biases, strict=True)
    )
    if norm == "layer":
        q = F.layer_norm(q, (d,), state["q_norm.weight"], state["q_norm.bias"], eps)
        k = F.layer_norm(k, (d,), state["k_norm.weight"], state["k_norm.bias"], eps)
    elif norm == "rms":
        q, k = (
            tensor * (tensor.square().mean(-1, keepdim=True) + eps).rsqrt() * state[f"{name}_norm.weight"]
            for name, tensor in (("q", q), ("k", k))
        )
    y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    return F.linear(y.transpose(1, 2).flatten(2), state["out.weight"], state.get("out.bias"))


@pytest.mark.parametrize("norm", ["none", "layer", "rms"])
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(4, 4, 6), (4, 2, 8), (6, 1, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_torchs_attention(norm: str, heads: int, kv_heads: int, head_dim: int, bias: bool) -> None:
    attention = GroupedAttention(24, heads, kv_heads, head_dim, 0.0, bias, not bias, norm, 1e-3)
    scramble(attention)
    x = torch.randn(2, 5, 24)
    wanted = by_hand(x, dict(attention.named_parameters()), heads, kv_heads, norm, 1e-3)
    torch.testing.assert_close(attention(x), wanted)


def test_fewer_heads_are_the_first_heads_on_the_first_features() -> None:
    attention = ElasticGroupedAttention(24, 4, 2, 6, qk_norm="layer")
    scramble(attention)
    alone = GroupedAttention(12, 2, 1, 6, qk_norm="layer")
    rows = torch.tensor([*range(12), *range(24, 30), *range(36, 42)])
    state = attention.state_dict()
    alone.load_state_dict(
        {
            **{name: value for name, value in state.items() if "norm" in name},
            "qkv.weight": state["qkv.weight"][rows, :12],
            "qkv.bias": state["qkv.bias"][rows],
            "out.weight": state["out.weight"][:12, :12],
            "out.bias": state["out.bias"][:12],
        }
    )
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(attention(x, attention.cut(12, 2, 1)), alone(x))
    assert attention.cut(24, 4, 2) is None


FORMS = {
    "shared keys": ("  width uniform {0.5, 1.0}\n", "4, kv_heads=2"),
    "heads and width": ("  width uniform {0.5, 1.0}\n", "{2, 4}, " + EVERYTHING),
    "heads follow the width": ("  width per_group 0.25..1.0\n", "4, kv_heads=2, qk_norm=layer"),
    "one head of keys": ("  width per_group 0.25..1.0\n", "4, kv_heads=1, bias=no"),
    "one head of keys for elastic heads": ("", "{1, 3, 4}, head_dim=6, kv_heads=1, out_bias=no"),
    "heads of their own size": ("  width uniform {0.5, 1.0}\n", "5, head_dim=4"),
    "causal": ("  width uniform {0.5, 1.0}\n", "{2, 4}, head_dim=6, kv_heads=2, causal=yes"),
    "noise": ("  width uniform {0.5, 1.0}\n", "4, dropout=0.3, qk_norm=rms"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_sub_network_computes_and_costs_what_it_should(form: str, tmp_path: Path) -> None:
    settings, attention = FORMS[form]
    check(spec(attention, settings), tmp_path)


def test_causal_attention_is_a_softmax_over_the_tokens_so_far() -> None:
    """Token t of each head is written out as a weighted sum over tokens 0 to t; two heads share their keys."""
    attention = GroupedAttention(12, 2, 1, 4, causal=True)
    scramble(attention)
    x = torch.randn(2, 5, 12)
    q, k, v = torch.split(attention.qkv(x), [8, 4, 4], -1)
    said = torch.zeros(2, 5, 8)
    for t in range(5):
        for head in (slice(0, 4), slice(4, 8)):
            scores = (k[:, : t + 1] * q[:, t : t + 1, head]).sum(-1) / 2
            said[:, t, head] = (scores.softmax(1)[..., None] * v[:, : t + 1]).sum(1)
    torch.testing.assert_close(attention(x), attention.out(said))


def cut_of(attention: ElasticGroupedAttention, whole: bool) -> GroupedAttentionCut | None:
    return None if whole else attention.cut(6, 2, 1)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_later_tokens_do_not_reach_earlier_ones(whole: bool, training: bool) -> None:
    """Later tokens are exchanged for large ones; what comes before stays, and has no gradient from them.

    NaN would not do: torch multiplies masked values with weights of zero.
    """
    attention = ElasticGroupedAttention(12, 4, 2, 3, causal=True).train(training)
    scramble(attention)
    cut = cut_of(attention, whole)
    x = torch.randn(2, 6, 12 if whole else 6, requires_grad=True)
    later = torch.where(torch.arange(6)[:, None] < 3, x, 1000 * torch.randn_like(x))
    before = attention(x, cut)[:, :3]
    torch.testing.assert_close(attention(later, cut)[:, :3], before)
    (gradient,) = torch.autograd.grad(before.square().sum(), x)
    assert gradient[:, :3].any()
    assert not gradient[:, 3:].any()


@pytest.mark.parametrize("whole", [True, False])
def test_a_sequence_cut_off_answers_the_same(whole: bool) -> None:
    attention = ElasticGroupedAttention(12, 4, 2, 3, causal=True)
    scramble(attention)
    cut = cut_of(attention, whole)
    x = torch.randn(1, 6, 12 if whole else 6)
    torch.testing.assert_close(attention(x, cut)[:, :3], attention(x[:, :3], cut))


def test_counts_by_hand() -> None:
    """16 tokens of 24 features; 4 heads of 8 features, 2 of keys and values."""
    graph = from_text(spec(f"4, {EVERYTHING}")).graph
    found, without = (cost(graph, {}), cost(from_text(spec("4")).graph, {}))
    rest = (without.params - 4 * 24 * 24 - 4 * 24, without.macs - 4 * 16 * 24 * 24 - 2 * 16 * 16 * 24)
    params = 24 * (32 + 16 + 16) + 2 * 8 + 32 * 24
    macs = 16 * 24 * (32 + 16 + 16) + 2 * 16 * 16 * 32 + 16 * 32 * 24
    assert (found.params - rest[0], found.macs - rest[1]) == (params, macs)


def test_what_is_usual_is_written_as_ever() -> None:
    """Arguments that say what holds anyway change nothing, the generated code included."""
    plain = from_text(spec("4")).graph
    said = from_text(spec("4, head_dim=6, kv_heads=4, bias=yes, out_bias=yes, qk_norm=none")).graph
    assert [op.params for op in plain.ops] == [op.params for op in said.ops]


@pytest.mark.slow
@pytest.mark.parametrize("causal", ["", ", causal=yes"])
def test_it_is_exported(causal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = project(from_text(spec("{2, 4}, " + EVERYTHING + causal)), tmp_path / "project")
    programs = part(made, "deploy.programs")
    net: nn.Module = made.model.Model().eval()
    scramble(net)
    static, x = net.extract(net.plan("min")), torch.randn(2, 3, 16, 16)  # type: ignore[operator]
    with torch.no_grad():
        wanted = static(x)
        assert relative(net(x, net.plan("min")), wanted) <= 1e-5  # type: ignore[operator]
    programs.write_program(static, (x,), wanted, tmp_path / "net.pt2")
    programs.write_onnx(static, (x,), ["x"], wanted, tmp_path / "net.onnx")
    out = capsys.readouterr().out
    assert "torch.export: same outputs" in out
    assert "onnxruntime: same outputs" in out
