"""Instance norm for the active channels of a sub-network, with banks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.layers.banks import Banks
from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest


class InstanceNormCut(Cut):
    """The first `channels` channels of bank `bank`."""

    __slots__ = fields = ("channels", "bank")

    channels: int
    bank: int


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` at its largest size, called with the cut of a sub-network.

    Input and output [N, C, H, W] with the cut's channels. It keeps no running statistics. With `banks` there are
    several norms for one place, of which each sub-network uses one, `bank`: see `Banks`.
    """

    def __new__(cls, *args: Any, banks: int | None = None, **more: Any) -> Any:
        if banks is None:
            return super().__new__(cls)
        bank = more.pop("bank", 0)
        return Banks((cls(*args, **more) for _ in range(banks)), bank)

    def __init__(
        self,
        channels: Size,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(largest(channels), eps, affine=affine)
        self.sizes = (channels,)

    def cut(self, channels: int, bank: int = 0) -> InstanceNormCut | None:
        """The cut for this channel count; None where nothing is cut off."""
        return None if channels == self.num_features else self.part(channels, bank)

    def part(self, channels: int, bank: int = 0) -> InstanceNormCut:
        """The cut for this channel count, also of all."""
        return InstanceNormCut(channels, bank)

    def forward(self, x: Tensor, cut: InstanceNormCut | None = None) -> Tensor:
        weight, bias = self.weights(cut)
        return F.instance_norm(x, weight=weight, bias=bias, eps=self.eps)

    def weights(self, cut: InstanceNormCut | None) -> tuple[Tensor | None, Tensor | None]:
        """The scale and offset [channels] that a cut uses; None without any."""
        if cut is None or not self.affine:
            return self.weight, self.bias
        return self.weight[: cut.channels], self.bias[: cut.channels]

    @torch.no_grad()
    def extracted(self, cut: InstanceNormCut | None) -> nn.InstanceNorm2d:
        """A plain `nn.InstanceNorm2d` with copies of what the cut uses."""
        n = self.num_features if cut is None else cut.channels
        plain = nn.InstanceNorm2d(n, self.eps, affine=self.affine, device="meta")
        if self.affine:
            plain.weight = nn.Parameter(self.weight[:n].clone())
            plain.bias = nn.Parameter(self.bias[:n].clone())
        return plain.train(self.training)
