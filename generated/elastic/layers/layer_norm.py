"""Layer norm for the active features of a sub-network, with banks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.net.plan import Cut


class LayerNormCut(Cut):
    """The first `features` features of bank `bank`."""

    __slots__ = fields = ("features", "bank")

    features: int
    bank: int


class ElasticLayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` at its largest size, called with the cut of a sub-network.

    Input and output [.., C] with the cut's features, over which mean and variance are taken.
    """

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__(features, eps)

    def cut(self, features: int, bank: int = 0) -> LayerNormCut | None:
        """The cut for this feature count; None where nothing is cut off."""
        whole = features == self.normalized_shape[0]
        return None if whole else LayerNormCut(features, bank)

    def forward(self, x: Tensor, cut: LayerNormCut | None = None) -> Tensor:
        if cut is None or cut.features == self.normalized_shape[0]:
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        weight, bias = self.weights(cut)
        return F.layer_norm(x, (cut.features,), weight, bias, self.eps)

    def weights(self, cut: LayerNormCut) -> tuple[Tensor, Tensor]:
        """The scale and offset [features] that a cut uses: views of the parameters."""
        weight, bias = self.weight, self.bias
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return weight[: cut.features], bias[: cut.features]
        views: tuple[Tensor, Tensor]
        addresses, views = cut._memory
        here = (weight.data_ptr(), bias.data_ptr())
        if addresses != here:
            views = (weight.detach()[: cut.features], bias.detach()[: cut.features])
            cut.remember(here, views)
        return views

    @torch.no_grad()
    def bound(self, cut: LayerNormCut | None) -> nn.LayerNorm:
        """A plain `nn.LayerNorm` with copies of what the cut uses."""
        n = self.normalized_shape[0] if cut is None else cut.features
        plain = nn.LayerNorm(n, self.eps, device="meta")
        plain.weight = nn.Parameter(self.weight[:n].clone())
        plain.bias = nn.Parameter(self.bias[:n].clone())
        return plain.train(self.training)


class BankedLayerNorm(nn.ModuleList):
    """Several layer norms for one place, called banks: each sub-network uses one of them.

    Bank i's parameters are `i.weight` and `i.bias`.
    """

    def __init__(self, features: int, banks: int, eps: float = 1e-5) -> None:
        super().__init__(ElasticLayerNorm(features, eps) for _ in range(banks))

    def cut(self, features: int, bank: int) -> LayerNormCut:
        return LayerNormCut(features, int(bank))

    def forward(self, x: Tensor, cut: LayerNormCut) -> Tensor:
        y: Tensor = self[cut.bank](x, cut)
        return y

    def bound(self, cut: LayerNormCut) -> nn.LayerNorm:
        """The bank in use as a plain norm."""
        bank = self[cut.bank]
        assert isinstance(bank, ElasticLayerNorm)
        return bank.bound(cut)
