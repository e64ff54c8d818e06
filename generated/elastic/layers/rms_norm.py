"""RMS norm for the active features of a sub-network, with banks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.layers.banks import Banks
from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest


class RMSNormCut(Cut):
    """The first `features` features of bank `bank`."""

    __slots__ = fields = ("features", "bank")

    features: int
    bank: int


class RMSNorm(nn.RMSNorm):
    """`nn.RMSNorm` at its largest size, called with the cut of a sub-network.

    Input and output [.., C] with the cut's features, over which the mean of squares is taken. With `banks` there are
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
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(largest(features), eps, affine)
        self.sizes = (features,)

    def cut(self, features: int, bank: int = 0) -> RMSNormCut | None:
        """The cut for this feature count; None where nothing is cut off."""
        return None if features == self.normalized_shape[0] else self.part(features, bank)

    def part(self, features: int, bank: int = 0) -> RMSNormCut:
        """The cut for this feature count, also of all."""
        return RMSNormCut(features, bank)

    def forward(self, x: Tensor, cut: RMSNormCut | None = None) -> Tensor:
        n = self.normalized_shape[0] if cut is None else cut.features
        weight: Tensor | None = self.weight
        return F.rms_norm(x, (n,), None if weight is None else weight[:n], self.eps)

    @torch.no_grad()
    def extracted(self, cut: RMSNormCut | None) -> nn.RMSNorm:
        """A plain `nn.RMSNorm` with a copy of what the cut uses."""
        n = self.normalized_shape[0] if cut is None else cut.features
        plain = nn.RMSNorm(n, self.eps, self.elementwise_affine, device="meta")
        if self.elementwise_affine:
            plain.weight = nn.Parameter(self.weight[:n].clone())
        return plain.train(self.training)
