"""A linear layer of which a sub-network may use the first features."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.runtime.net.plan import Cut, weight_and_bias
from specc.runtime.net.sizes import Size, largest, total

Views: TypeAlias = tuple[Tensor, Tensor | None]
"""A weight and a bias."""


class LinearCut(Cut):
    """The first `in_` input features and the first `out` output features."""

    __slots__ = fields = ("in_", "out")

    in_: int
    out: int


class Linear(nn.Linear):
    """`nn.Linear` at its largest size, called with the cut of a sub-network.

    Input [N, in] or [N, T, in] with the cut's features, output [N, out] or [N, T, out].
    """

    def __init__(self, in_: Size, out: Size, bias: bool = True) -> None:
        super().__init__(largest(total(in_)), largest(total(out)), bias)
        self.width = out  # a choice has its name from this
        self.sizes = (in_, out)

    def cut(self, in_: int, out: int) -> LinearCut | None:
        """The cut for these feature counts; None where nothing is cut off."""
        whole = (in_, out) == (self.in_features, self.out_features)
        return None if whole else self.part(in_, out)

    def part(self, in_: int, out: int) -> LinearCut:
        """The cut for these feature counts, also of all."""
        return LinearCut(in_, out)

    def forward(self, x: Tensor, cut: LinearCut | None = None) -> Tensor:
        if cut is None:
            return F.linear(x, self.weight, self.bias)
        weight, bias = self.weights(cut)
        return F.linear(x, weight, bias)

    def weights(self, cut: LinearCut) -> Views:
        """The weight [out, in] and bias [out] that a cut uses: views of the parameters."""
        weight, bias = weight_and_bias(self)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return slices(cut, weight, bias)
        views: Views
        addresses, views = cut._memory
        here = (weight.data_ptr(),) if bias is None else (weight.data_ptr(), bias.data_ptr())
        if addresses != here:
            views = slices(cut, weight.detach(), None if bias is None else bias.detach())
            cut.remember(here, views)
        return views

    @torch.no_grad()
    def extracted(self, cut: LinearCut | None) -> nn.Linear:
        """A plain `nn.Linear` with a copy of the weights that the cut uses."""
        weight, bias = (
            (self.weight, self.bias) if cut is None else slices(cut, self.weight, self.bias)
        )
        plain = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


def slices(cut: LinearCut, weight: Tensor, bias: Tensor | None) -> Views:
    return weight[: cut.out, : cut.in_], None if bias is None else bias[: cut.out]
