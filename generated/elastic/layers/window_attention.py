"""Multi-head self-attention that knows where its tokens stand, whole or of some heads."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.layers.grouped_attention import (
    ElasticProjectionIn,
    ElasticProjectionOut,
    begin_projections,
    norm_of_heads,
    parted,
)
from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest, total


class WindowAttention(nn.Module):
    """Multi-head self-attention between the pixels of a map [N, C, H, W], or between tokens [N, T, C]; gives the same.

    head_dim  features of a head, `kv_heads` heads of keys and values: an equal share, and as many, where they are 0
    window    height and width of windows, each on its own; zeros fill the last ones. 0: there are none
    shift     how far they are moved down and to the right, where one does not cover the map
    grid      into how many cells the map is cut; the pixels at one place of all cells look at each other
    area      height and width over which positions are `relative` or `continuous`
    extra     whether a class token stands before the tokens of that area
    hidden    features inside the network of continuous positions
    scores    of queries and keys: their product times `scale`, of 0 head_dim ** -0.5; or their `cosine`
    key_bias  of `bias`: `none` is not there, `zero` is not used
    """

    one_step = True  # how it runs depends on the map: an extracted network has it as it is

    def __init__(
        self,
        features: int,
        heads: int,
        head_dim: int = 0,
        kv_heads: int = 0,
        dropout: float = 0.0,
        bias: bool = True,
        out_bias: bool = True,
        qk_norm: str = "none",
        qk_eps: float = 1e-6,
        window: int | tuple[int, int] = 0,
        shift: int | tuple[int, int] = 0,
        grid: int | tuple[int, int] = 0,
        area: int | tuple[int, int] = 0,
        extra: bool = False,
        position: str = "none",
        hidden: int = 512,
        scores: str = "dot",
        scale: float = 0,
        key_bias: str = "learned",
    ) -> None:
        super().__init__()
        head_dim, kv_heads = head_dim or features // heads, kv_heads or heads
        self.features, self.heads = features, heads
        self.head_dim, self.kv_heads = head_dim, kv_heads
        self.dropout, self.bias, self.out_bias = dropout, bias, out_bias
        self.qk_norm, self.qk_eps = qk_norm, qk_eps
        self.window, self.shift, self.grid, self.area = window, shift, grid, area
        self.extra, self.hidden, self.scores, self.scale = extra, hidden, scores, scale
        self.position, self.key_bias = position, key_bias
        if bias and key_bias == "none":
            self.q_bias = nn.Parameter(torch.zeros(heads * head_dim))
            self.v_bias = nn.Parameter(torch.zeros(kv_heads * head_dim))
        if scores == "cosine":
            self.log_scale = nn.Parameter(torch.full((heads,), math.log(10)))
        self.make_projections()
        if position != "none":
            self.positions = Positions(area or window or grid, heads, position, extra, hidden)

    def make_projections(self) -> None:
        rows = (self.heads + 2 * self.kv_heads) * self.head_dim
        whole = self.bias and self.key_bias != "none"
        self.qkv = nn.Linear(self.features, rows, whole)
        self.q_norm, self.k_norm = (
            norm_of_heads(self.qk_norm, self.head_dim, self.qk_eps) for _ in "qk"
        )
        self.out = nn.Linear(self.heads * self.head_dim, self.features, self.out_bias)
        begin_projections(self.qkv, self.out)

    def forward(self, x: Tensor) -> Tensor:
        return self.looked(x, None, self.heads, self.kv_heads)

    def looked(self, x: Tensor, cut: Any, heads: int, kv_heads: int) -> Tensor:
        """The answer with the first heads."""
        if x.dim() == 3:
            return self.attended(x[:, None], None, cut, heads, kv_heads)[:, 0]
        parts, apart = self.parts(x.permute(0, 2, 3, 1))
        parts = self.attended(parts, apart, cut, heads, kv_heads)
        return self.whole(parts, x.shape[2], x.shape[3]).permute(0, 3, 1, 2)

    def attended(
        self, x: Tensor, apart: Tensor | None, cut: Any, heads: int, kv_heads: int
    ) -> Tensor:
        """Attention inside each part: [N, P, T, C] to the same. `apart` [P, T, T]: who does not see whom."""
        n, count, tokens, _ = x.shape
        qkv = F.linear(x.flatten(0, 1), *self.asking(cut, heads, kv_heads))
        q, k, v = parted(qkv, heads, kv_heads, self.head_dim)
        q, k, scale = self.q_norm(q), self.k_norm(k), self.scale or None
        if self.scores == "cosine":
            factor = self.log_scale[:heads, None, None].clamp(max=math.log(100)).exp()
            q, k, scale = F.normalize(q, dim=-1) * factor, F.normalize(k, dim=-1), 1.0
        bias = self.positions(heads) if self.position != "none" else None
        if apart is not None:  # each part has scores of its own: they stand beside the heads
            bias = q.new_zeros(1, 1, 1) if bias is None else bias
            bias = bias.masked_fill(apart[:, None], -torch.inf).expand(count, heads, tokens, tokens)
            q, k, v = (part.reshape(n, count * heads, tokens, -1) for part in (q, k, v))
            bias = bias.flatten(0, 1)
        rate = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, bias, dropout_p=rate, scale=scale)
        y = y.reshape(n, count, heads, tokens, self.head_dim).transpose(2, 3).flatten(3)
        return self.said(y, cut)

    def asking(self, cut: Any, heads: int, kv_heads: int) -> tuple[Tensor, Tensor | None]:
        """The weight and the offset of queries, keys and values."""
        weight, bias = self.in_use(cut)
        if not self.bias or self.key_bias == "learned":
            return weight, bias
        d = self.head_dim
        sizes = [heads * d, kv_heads * d, kv_heads * d]
        if bias is None:
            q, v = self.q_bias[: sizes[0]], self.v_bias[: sizes[2]]
        else:
            q, _, v = torch.split(bias, sizes)
        return weight, torch.cat((q, torch.zeros_like(v), v))

    def in_use(self, cut: Any) -> tuple[Tensor, Tensor | None]:
        """The weight and the offset of the projection in."""
        return self.qkv.weight, self.qkv.bias

    def said(self, y: Tensor, cut: Any) -> Tensor:
        """The projection back."""
        out: Tensor = self.out(y)
        return out

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The pixels [N, H, W, C] of each window, cell or the whole map, [N, P, T, C]; and who does not see whom."""
        n, height, width, _ = x.shape
        if self.grid:
            a, b = both(self.grid)
            x = x.reshape(n, a, height // a, b, width // b, -1).permute(0, 2, 4, 1, 3, 5)
            return x.flatten(3, 4).flatten(1, 2), None
        if not self.window:
            return x.flatten(1, 2)[:, None], None
        a, b = both(self.window)
        x = F.pad(x, (0, 0, 0, -width % b, 0, -height % a))
        height, width = x.shape[1], x.shape[2]
        down, right = self.moved(height, width)
        apart = None
        if down or right:
            x = torch.roll(x, (-down, -right), (1, 2))
            regions = 3 * region(height, a, down, x.device)[:, None] + region(
                width, b, right, x.device
            )
            regions = regions.view(height // a, a, width // b, b).transpose(1, 2).reshape(-1, a * b)
            apart = regions[:, :, None] != regions[:, None]
        x = x.reshape(n, height // a, a, width // b, b, -1).transpose(2, 3)
        return x.flatten(3, 4).flatten(1, 2), apart

    def whole(self, x: Tensor, height: int, width: int) -> Tensor:
        """The reverse: [N, P, T, C] to [N, H, W, C]."""
        if self.grid:
            a, b = both(self.grid)
            x = x.view(x.shape[0], height // a, width // b, a, b, -1).permute(0, 3, 1, 4, 2, 5)
            return x.reshape(x.shape[0], height, width, -1)
        if not self.window:
            return x.view(x.shape[0], height, width, -1)
        a, b = both(self.window)
        rows, columns = -(-height // a), -(-width // b)
        x = x.view(x.shape[0], rows, columns, a, b, -1).transpose(2, 3)
        x = x.reshape(x.shape[0], rows * a, columns * b, -1)
        down, right = self.moved(rows * a, columns * b)
        if down or right:
            x = torch.roll(x, (down, right), (1, 2))
        return x[:, :height, :width]

    def moved(self, height: int, width: int) -> tuple[int, int]:
        """How far the windows of such a map are moved: not where one covers it."""
        (a, b), (down, right) = both(self.window or 1), both(self.shift)
        return down if a < height else 0, right if b < width else 0


def both(size: int | tuple[int, int]) -> tuple[int, int]:
    """A height and a width."""
    return (size, size) if isinstance(size, int) else size


def region(size: int, window: int, shift: int, device: torch.device) -> Tensor:
    """In which of three regions each place along an axis lies after a cyclic shift: those that came from the other
    side are not seen by those that stayed."""
    places = torch.arange(size, device=device)
    if not shift:
        return torch.zeros_like(places)
    return (places >= size - window).long() + (places >= size - shift).long()


class Positions(nn.Module):
    """What is added to the score of two tokens by how far they are apart: [heads, T, T] for the T places of an area.

    `relative`: a learned number for each distance and head. `continuous`: a small network makes it of the distance's
    logarithm. `extra`: a first token stands nowhere, and has numbers of its own.
    """

    decays_as = "position"
    index: Tensor

    def __init__(
        self, area: int | tuple[int, int], heads: int, kind: str, extra: bool, hidden: int
    ) -> None:
        super().__init__()
        self.height, self.width = height, width = both(area)
        count = (2 * height - 1) * (2 * width - 1)
        self.register_buffer("index", distances_between(height, width, extra), persistent=False)
        if kind == "relative":
            self.weight = nn.Parameter(torch.empty(count + 3 * extra, heads).normal_(std=0.02))
            return
        self.hidden = nn.Linear(2, hidden)
        self.out = nn.Linear(hidden, heads, bias=False)

    def forward(self, heads: int) -> Tensor:
        if hasattr(self, "weight"):
            return self.weight[self.index, :heads].permute(2, 0, 1)
        distances = log_distances(self.height, self.width).to(self.out.weight)
        table = F.linear(F.relu(self.hidden(distances)), self.out.weight[:heads])
        return 16 * torch.sigmoid(table[self.index].permute(2, 0, 1))


def distances_between(height: int, width: int, extra: bool) -> Tensor:
    """Which of all distances is that from one place to another: [T, T], row by row."""
    rows, columns = (torch.arange(size) for size in (height, width))
    down = (rows[:, None] - rows + height - 1)[:, None, :, None]
    right = (columns[:, None] - columns + width - 1)[None, :, None]
    index = (down * (2 * width - 1) + right).reshape(height * width, height * width)
    if not extra:
        return index
    count = (2 * height - 1) * (2 * width - 1)
    index = F.pad(index, (1, 0, 1, 0))
    index[0], index[:, 0], index[0, 0] = count, count + 1, count + 2
    return index


def log_distances(height: int, width: int) -> Tensor:
    """The logarithms of all distances down and to the right, of which the longest counts 8: [distances, 2]."""
    sides = []
    for size in (height, width):
        side = torch.arange(1 - size, size).float() * 8 / max(size - 1, 1)
        sides.append(side.sign() * torch.log2(side.abs() + 1) / 3)
    return torch.stack(torch.meshgrid(*sides, indexing="ij"), -1).flatten(0, 1)


class WindowAttentionCut(Cut):
    """The first `features` features of a token, and the first heads of queries and of keys and values."""

    __slots__ = fields = ("features", "heads", "kv_heads")

    features: int
    heads: int
    kv_heads: int


class ElasticWindowAttention(WindowAttention):
    """`WindowAttention` at its largest size, called with the cut of a sub-network. Heads keep their size."""

    def __init__(
        self,
        features: Size,
        heads: Size,
        head_dim: int = 0,
        kv_heads: Size = 0,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        self.options = {"dropout": dropout, **options}
        most = largest(total(features)), largest(heads)
        super().__init__(*most, head_dim, largest(kv_heads), **self.options)
        as_many = isinstance(kv_heads, int) and kv_heads == 0
        self.sizes = (features, heads, heads if as_many else kv_heads)

    def make_projections(self) -> None:
        super().make_projections()
        both = self.heads, self.kv_heads
        whole, rows = self.qkv.bias is not None, self.qkv.out_features
        self.qkv = ElasticProjectionIn(self.features, rows, whole, both, self.head_dim)
        inner = self.heads * self.head_dim
        self.out = ElasticProjectionOut(inner, self.features, self.out_bias, both, self.head_dim)
        begin_projections(self.qkv, self.out)

    def in_use(self, cut: WindowAttentionCut | None) -> tuple[Tensor, Tensor | None]:
        return self.qkv.weights(cut)  # type: ignore[no-any-return, operator]

    def said(self, y: Tensor, cut: WindowAttentionCut | None) -> Tensor:
        return self.out(y, cut)  # type: ignore[no-any-return]

    def cut(self, features: int, heads: int, kv_heads: int) -> WindowAttentionCut | None:
        """The cut for these numbers of features and heads; None where nothing is cut off."""
        whole = (self.features, self.heads, self.kv_heads)
        return (
            None if (features, heads, kv_heads) == whole else self.part(features, heads, kv_heads)
        )

    def part(self, features: int, heads: int, kv_heads: int) -> WindowAttentionCut:
        """The cut for these numbers of features and heads, also of all."""
        return WindowAttentionCut(features, heads, kv_heads)

    def forward(self, x: Tensor, cut: WindowAttentionCut | None = None) -> Tensor:
        heads, kv_heads = (self.heads, self.kv_heads) if cut is None else (cut.heads, cut.kv_heads)
        return self.looked(x, cut, heads, kv_heads)

    @torch.no_grad()
    def extracted(self, cut: WindowAttentionCut | None) -> WindowAttention:
        """A plain attention with copies of the weights that the cut uses."""
        sizes = (self.features, self.heads, self.kv_heads)
        features, heads, kv_heads = (
            sizes if cut is None else (cut.features, cut.heads, cut.kv_heads)
        )
        with torch.device("meta"):  # no random numbers for weights that come next
            plain = WindowAttention(features, heads, self.head_dim, kv_heads, **self.options)
        plain.qkv, plain.out = self.qkv.extracted(cut), self.out.extracted(cut)  # type: ignore[operator]
        plain.q_norm, plain.k_norm = copy.deepcopy(self.q_norm), copy.deepcopy(self.k_norm)
        for name, weight in plain.named_parameters(recurse=False):
            own = getattr(self, name)[: len(weight)]
            setattr(plain, name, nn.Parameter(own.detach().clone()))
        if self.position != "none":
            plain.positions = of_heads(self.positions, heads)
        return plain.train(self.training)


def of_heads(positions: Positions, heads: int) -> Positions:
    """The numbers of the first heads, as a copy."""
    part = copy.deepcopy(positions)
    if hasattr(part, "weight"):
        part.weight = nn.Parameter(positions.weight.detach()[:, :heads].clone())
    else:
        part.out = nn.Linear(positions.out.in_features, heads, bias=False, device="meta")
        part.out.weight = nn.Parameter(positions.out.weight.detach()[:heads].clone())
    return part
