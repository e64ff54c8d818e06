"""Group norm for the active channels of a sub-network, with banks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.runtime.layers.banks import Banks
from specc.runtime.net.plan import Cut
from specc.runtime.net.sizes import Size, largest, total


class GroupNormCut(Cut):
    """The first `channels` channels, in `groups` groups, of bank `bank`."""

    __slots__ = fields = ("channels", "groups", "bank")

    channels: int
    groups: int
    bank: int


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm` at its largest size, called with the cut of a sub-network.

    Input and output [N, C] or [N, C, H, W] with the cut's channels: whole groups of the same size. With `banks` there
    are several norms for one place, of which each sub-network uses one, `bank`: see `Banks`.
    """

    def __new__(cls, *args: Any, banks: int | None = None, **more: Any) -> Any:
        if banks is None:
            return super().__new__(cls)
        bank = more.pop("bank", 0)
        return Banks((cls(*args, **more) for _ in range(banks)), bank)

    def __init__(
        self,
        groups: Size,
        channels: Size,
        eps: float = 1e-5,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(largest(groups), largest(total(channels)), eps)
        self.sizes = (channels,)

    def cut(self, channels: int, bank: int = 0) -> GroupNormCut | None:
        """The cut for this channel count; None where nothing is cut off."""
        return None if channels == self.num_channels else self.part(channels, bank)

    def part(self, channels: int, bank: int = 0) -> GroupNormCut:
        """The cut for this channel count, also of all."""
        return GroupNormCut(channels, channels * self.num_groups // self.num_channels, bank)

    def forward(self, x: Tensor, cut: GroupNormCut | None = None) -> Tensor:
        if cut is None or cut.channels == self.num_channels:
            return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        weight, bias = self.weights(cut)
        return F.group_norm(x, cut.groups, weight, bias, self.eps)

    def weights(self, cut: GroupNormCut) -> tuple[Tensor, Tensor]:
        """The scale and offset [channels] that a cut uses: views of the parameters."""
        weight, bias = self.weight, self.bias
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return weight[: cut.channels], bias[: cut.channels]
        views: tuple[Tensor, Tensor]
        addresses, views = cut._memory
        here = (weight.data_ptr(), bias.data_ptr())
        if addresses != here:
            views = (weight.detach()[: cut.channels], bias.detach()[: cut.channels])
            cut.remember(here, views)
        return views

    @torch.no_grad()
    def extracted(self, cut: GroupNormCut | None) -> nn.GroupNorm:
        """A plain `nn.GroupNorm` with copies of what the cut uses."""
        n = self.num_channels if cut is None else cut.channels
        groups = self.num_groups if cut is None else cut.groups
        plain = nn.GroupNorm(groups, n, self.eps, device="meta")
        plain.weight = nn.Parameter(self.weight[:n].clone())
        plain.bias = nn.Parameter(self.bias[:n].clone())
        return plain.train(self.training)
