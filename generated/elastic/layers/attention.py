"""Multi-head self-attention, whole or of a sub-network's width and heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest, total


class Attention(nn.Module):
    """Multi-head self-attention. Input and output [N, T, C].

    Weights and biases have the shapes and first values of `nn.MultiheadAttention`'s; a head has C / heads features
    unless `head_dim` says otherwise.
    """

    def __init__(
        self, features: int, heads: int, head_dim: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = features // heads if head_dim is None else head_dim
        self.dropout = dropout
        self.qkv = nn.Linear(features, 3 * heads * self.head_dim)
        self.out = nn.Linear(heads * self.head_dim, features)
        begin(self.qkv, self.out)

    def forward(self, x: Tensor) -> Tensor:
        y = attend(self.qkv(x), self.heads, self.dropout if self.training else 0.0)
        out: Tensor = self.out(y)
        return out  # [N, T, C]


def begin(qkv: nn.Linear, out: nn.Linear) -> None:
    """First values: queries, keys and values as one Xavier-uniform matrix, no biases."""
    nn.init.xavier_uniform_(qkv.weight)
    nn.init.zeros_(qkv.bias)
    nn.init.zeros_(out.bias)


def attend(qkv: Tensor, heads: int, dropout: float) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V for every head: [N, T, 3 * heads * d] to [N, T, heads * d]."""
    n, t, _ = qkv.shape
    q, k, v = qkv.view(n, t, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind()
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    return y.transpose(1, 2).flatten(2)


class AttentionCut(Cut):
    """The first `features` features of a token and the first `heads` heads of `head_dim` features."""

    __slots__ = fields = ("features", "heads", "head_dim")
    leaf = False

    features: int
    heads: int
    head_dim: int


class ElasticProjection(nn.Linear):
    """A projection of an attention at its largest size, called with the attention's cut."""

    def weights(self, cut: AttentionCut | None) -> tuple[Tensor, Tensor]:
        """The weight and bias that a cut uses."""
        return self.weight, self.bias

    def forward(self, x: Tensor, cut: AttentionCut | None = None) -> Tensor:
        return F.linear(x, *self.weights(cut))

    @torch.no_grad()
    def extracted(self, cut: AttentionCut | None) -> nn.Linear:
        """A plain `nn.Linear` with a copy of the weights that the cut uses."""
        weight, bias = self.weights(cut)
        plain = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


class ElasticProjectionIn(ElasticProjection):
    """To queries, keys and values: [N, T, C] to [N, T, 3 * heads * head_dim]."""

    def weights(self, cut: AttentionCut | None) -> tuple[Tensor, Tensor]:
        """Of each third the rows of the first heads."""
        weight, bias = super().weights(cut)
        if cut is None:
            return weight, bias
        inner = cut.heads * cut.head_dim
        if 3 * inner != self.out_features:
            weight = weight.view(3, -1, self.in_features)[:, :inner].flatten(0, 1)
            bias = bias.view(3, -1)[:, :inner].flatten()
        return weight[:, : cut.features], bias


class ElasticProjectionOut(ElasticProjection):
    """From what the heads say: [N, T, heads * head_dim] to [N, T, C]."""

    def weights(self, cut: AttentionCut | None) -> tuple[Tensor, Tensor]:
        """The columns of the first heads, the rows of the first features."""
        weight, bias = super().weights(cut)
        if cut is None:
            return weight, bias
        return weight[: cut.features, : cut.heads * cut.head_dim], bias[: cut.features]


class ElasticAttention(nn.Module):
    """`Attention` at its largest size, called with the cut of a sub-network. Heads keep their size."""

    def __init__(
        self, features: Size, heads: Size, head_dim: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        channels = largest(total(features))
        self.heads = largest(heads)
        self.head_dim = channels // self.heads if head_dim is None else head_dim
        self.dropout = dropout
        self.qkv = ElasticProjectionIn(channels, 3 * self.heads * self.head_dim)
        self.out = ElasticProjectionOut(self.heads * self.head_dim, channels)
        begin(self.qkv, self.out)
        self.sizes = (features, heads)

    def cut(self, features: int, heads: int | None = None) -> AttentionCut | None:
        """The cut for this feature count, and as many heads as it has room for or as are given; None for all."""
        cut = self.part(features, heads)
        whole = (cut.features, cut.heads) == (self.out.out_features, self.heads)
        return None if whole else cut

    def part(self, features: int, heads: int | None = None) -> AttentionCut:
        """The cut for this feature count and these heads, also of all."""
        active = features // self.head_dim if heads is None else heads
        return AttentionCut(features, active, self.head_dim)

    def forward(self, x: Tensor, cut: AttentionCut | None = None) -> Tensor:
        heads = self.heads if cut is None else cut.heads
        y = attend(self.qkv(x, cut), heads, self.dropout if self.training else 0.0)
        return self.out(y, cut)  # type: ignore[no-any-return]
