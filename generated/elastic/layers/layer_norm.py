"""Layer norm for the active features of a sub-network, with banks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.layers.banks import Banks
from elastic.layers.learned import Learned, first, give
from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest, total


class LayerNormCut(Cut):
    """The first `features` features of bank `bank`."""

    __slots__ = fields = ("features", "bank")

    features: int
    bank: int


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` at its largest size, called with the cut of a sub-network.

    Input and output [.., C] with the cut's features, over which mean and variance are taken. With `banks` there are
    several norms for one place, of which each sub-network uses one, `bank`: see `Banks`.
    """

    def __new__(cls, *args: Any, banks: int | None = None, **more: Any) -> Any:
        if banks is None:
            return super().__new__(cls)
        bank = more.pop("bank", 0)
        return Banks((cls(*args, **more) for _ in range(banks)), bank)

    def __init__(
        self,
        features: Size,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(largest(total(features)), eps, affine, bias)
        self.sizes = (features,)

    def cut(self, features: int, bank: int = 0) -> LayerNormCut | None:
        """The cut for this feature count; None where nothing is cut off."""
        return None if features == self.normalized_shape[0] else self.part(features, bank)

    def part(self, features: int, bank: int = 0) -> LayerNormCut:
        """The cut for this feature count, also of all."""
        return LayerNormCut(features, bank)

    def forward(self, x: Tensor, cut: LayerNormCut | None = None) -> Tensor:
        if cut is None or cut.features == self.normalized_shape[0]:
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        weight, bias = self.weights(cut)
        return F.layer_norm(x, (cut.features,), weight, bias, self.eps)

    def weights(self, cut: LayerNormCut) -> Learned:
        """The scale and offset [features] that a cut uses, where there are any: views of the parameters."""
        return first(self, cut, cut.features)

    @torch.no_grad()
    def extracted(self, cut: LayerNormCut | None) -> nn.LayerNorm:
        """A plain `nn.LayerNorm` with copies of what the cut uses."""
        n = self.normalized_shape[0] if cut is None else cut.features
        affine = self.elementwise_affine
        plain = nn.LayerNorm(n, self.eps, affine, self.bias is not None, device="meta")
        give(plain, self.weight, self.bias, lambda learned: learned[:n])
        return plain.train(self.training)
