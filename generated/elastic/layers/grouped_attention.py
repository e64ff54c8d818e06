"""Multi-head self-attention whose queries may have more heads than keys and values, whole or of some heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest, total


class GroupedAttention(nn.Module):
    """Multi-head self-attention. Input and output [N, T, C].

    Equally many neighbouring heads of queries share one head of keys and values: `heads` is a multiple of `kv_heads`.
    `qk_norm` normalises every query and key over its `head_dim` features: `layer`, `rms` or `none`.
    With `causal` a token looks at itself and those before it alone.
    """

    def __init__(
        self,
        features: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        dropout: float = 0.0,
        bias: bool = True,
        out_bias: bool = True,
        qk_norm: str = "none",
        qk_eps: float = 1e-6,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.dropout, self.causal = dropout, causal
        self.qkv = nn.Linear(features, (heads + 2 * kv_heads) * head_dim, bias)
        self.q_norm, self.k_norm = (norm_of_heads(qk_norm, head_dim, qk_eps) for _ in "qk")
        self.out = nn.Linear(heads * head_dim, features, out_bias)
        begin_projections(self.qkv, self.out)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = parted(self.qkv(x), self.heads, self.kv_heads, self.head_dim)
        dropout = self.dropout if self.training else 0.0
        y = attend_in_groups(self.q_norm(q), self.k_norm(k), v, dropout, self.causal)
        out: Tensor = self.out(y)
        return out  # [N, T, C]


def norm_of_heads(kind: str, head_dim: int, eps: float) -> nn.Module:
    """The norm of each query, or of each key."""
    match kind:
        case "layer":
            return nn.LayerNorm(head_dim, eps)
        case "rms":
            return nn.RMSNorm(head_dim, eps)
    return nn.Identity()


def begin_projections(*projections: nn.Linear) -> None:
    """First values: Xavier-uniform matrices, no biases."""
    for layer in projections:
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def parted(qkv: Tensor, heads: int, kv_heads: int, head_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [N, heads, T, d], keys and values [N, kv_heads, T, d] of [N, T, (heads + 2 kv_heads) * d]."""
    n, t, _ = qkv.shape
    parts = qkv.view(n, t, heads + 2 * kv_heads, head_dim).transpose(1, 2)
    q, k, v = torch.split(parts, [heads, kv_heads, kv_heads], 1)
    if heads != kv_heads:
        k, v = (part.repeat_interleave(heads // kv_heads, 1) for part in (k, v))
    return q, k, v


def attend_in_groups(
    q: Tensor, k: Tensor, v: Tensor, dropout: float, causal: bool = False
) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V for every head: three [N, heads, T, d] to [N, T, heads * d].

    Where `causal`, token t looks at tokens 0 to t.
    """
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=causal)
    return y.transpose(1, 2).flatten(2)


class GroupedAttentionCut(Cut):
    """The first `features` features of a token, and the first heads of queries and of keys and values."""

    __slots__ = fields = ("features", "heads", "kv_heads")
    leaf = False

    features: int
    heads: int
    kv_heads: int


class ElasticProjection(nn.Linear):
    """A projection of an attention at its largest size, called with the attention's cut."""

    def __init__(self, in_: int, out: int, bias: bool, heads: tuple[int, int], head_dim: int):
        super().__init__(in_, out, bias)
        self.heads, self.head_dim = heads, head_dim

    def weights(self, cut: GroupedAttentionCut | None) -> tuple[Tensor, Tensor | None]:
        """The weight and bias that a cut uses."""
        return self.weight, self.bias

    def forward(self, x: Tensor, cut: GroupedAttentionCut | None = None) -> Tensor:
        return F.linear(x, *self.weights(cut))

    @torch.no_grad()
    def extracted(self, cut: GroupedAttentionCut | None) -> nn.Linear:
        """A plain `nn.Linear` with a copy of the weights that the cut uses."""
        weight, bias = self.weights(cut)
        plain = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


class ElasticProjectionIn(ElasticProjection):
    """To queries, keys and values: [N, T, C] to [N, T, (heads + 2 kv_heads) * head_dim]."""

    def weights(self, cut: GroupedAttentionCut | None) -> tuple[Tensor, Tensor | None]:
        """Of queries, keys and values the rows of the first heads each."""
        if cut is None:
            return self.weight, self.bias
        weight = self.rows(self.weight, cut)[:, : cut.features]
        return weight, None if self.bias is None else self.rows(self.bias, cut)

    def rows(self, tensor: Tensor, cut: GroupedAttentionCut) -> Tensor:
        if (cut.heads, cut.kv_heads) == self.heads:
            return tensor
        (heads, kv_heads), d = self.heads, self.head_dim
        parts = torch.split(tensor, [heads * d, kv_heads * d, kv_heads * d])
        wanted = (cut.heads, cut.kv_heads, cut.kv_heads)
        return torch.cat([part[: n * d] for part, n in zip(parts, wanted)])


class ElasticProjectionOut(ElasticProjection):
    """From what the heads say: [N, T, heads * head_dim] to [N, T, C]."""

    def weights(self, cut: GroupedAttentionCut | None) -> tuple[Tensor, Tensor | None]:
        """The columns of the first heads, the rows of the first features."""
        if cut is None:
            return self.weight, self.bias
        weight = self.weight[: cut.features, : cut.heads * self.head_dim]
        return weight, None if self.bias is None else self.bias[: cut.features]


class ElasticGroupedAttention(nn.Module):
    """`GroupedAttention` at its largest size, called with the cut of a sub-network. Heads keep their size."""

    def __init__(
        self,
        features: Size,
        heads: Size,
        kv_heads: Size,
        head_dim: int,
        dropout: float = 0.0,
        bias: bool = True,
        out_bias: bool = True,
        qk_norm: str = "none",
        qk_eps: float = 1e-6,
        causal: bool = False,
    ) -> None:
        super().__init__()
        channels = largest(total(features))
        self.heads, self.kv_heads = both = largest(heads), largest(kv_heads)
        self.head_dim, self.dropout, self.causal = head_dim, dropout, causal
        rows = (self.heads + 2 * self.kv_heads) * head_dim
        self.qkv = ElasticProjectionIn(channels, rows, bias, both, head_dim)
        self.q_norm, self.k_norm = (norm_of_heads(qk_norm, head_dim, qk_eps) for _ in "qk")
        self.out = ElasticProjectionOut(self.heads * head_dim, channels, out_bias, both, head_dim)
        begin_projections(self.qkv, self.out)
        self.sizes = (features, heads, kv_heads)

    def cut(self, features: int, heads: int, kv_heads: int) -> GroupedAttentionCut | None:
        """The cut for these numbers of features and heads; None where nothing is cut off."""
        whole = (self.out.out_features, self.heads, self.kv_heads)
        return (
            None if (features, heads, kv_heads) == whole else self.part(features, heads, kv_heads)
        )

    def part(self, features: int, heads: int, kv_heads: int) -> GroupedAttentionCut:
        """The cut for these numbers of features and heads, also of all."""
        return GroupedAttentionCut(features, heads, kv_heads)

    def forward(self, x: Tensor, cut: GroupedAttentionCut | None = None) -> Tensor:
        heads, kv_heads = (self.heads, self.kv_heads) if cut is None else (cut.heads, cut.kv_heads)
        q, k, v = parted(self.qkv(x, cut), heads, kv_heads, self.head_dim)
        dropout = self.dropout if self.training else 0.0
        y = attend_in_groups(self.q_norm(q), self.k_norm(k), v, dropout, self.causal)
        return self.out(y, cut)  # type: ignore[no-any-return]
