"""Group norm for the active channels of a sub-network, with banks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.net.plan import Cut


class GroupNormCut(Cut):
    """The first `channels` channels, in `groups` groups, of bank `bank`."""

    __slots__ = fields = ("channels", "groups", "bank")

    channels: int
    groups: int
    bank: int


class ElasticGroupNorm(nn.GroupNorm):
    """`nn.GroupNorm` at its largest size, called with the cut of a sub-network.

    Input and output [N, C] or [N, C, H, W] with the cut's channels: whole groups of the same size.
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5) -> None:
        super().__init__(groups, channels, eps)

    def cut(self, channels: int, bank: int = 0) -> GroupNormCut | None:
        """The cut for this channel count; None where nothing is cut off."""
        return None if channels == self.num_channels else self.part(channels, bank)

    def part(self, channels: int, bank: int) -> GroupNormCut:
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
    def bound(self, cut: GroupNormCut | None) -> nn.GroupNorm:
        """A plain `nn.GroupNorm` with copies of what the cut uses."""
        n = self.num_channels if cut is None else cut.channels
        groups = self.num_groups if cut is None else cut.groups
        plain = nn.GroupNorm(groups, n, self.eps, device="meta")
        plain.weight = nn.Parameter(self.weight[:n].clone())
        plain.bias = nn.Parameter(self.bias[:n].clone())
        return plain.train(self.training)


class BankedGroupNorm(nn.ModuleList):
    """Several group norms for one place, called banks: each sub-network uses one of them.

    Bank i's parameters are `i.weight` and `i.bias`.
    """

    def __init__(self, groups: int, channels: int, banks: int, eps: float = 1e-5) -> None:
        super().__init__(ElasticGroupNorm(groups, channels, eps) for _ in range(banks))

    def cut(self, channels: int, bank: int) -> GroupNormCut:
        return self.bank(bank).part(channels, int(bank))

    def forward(self, x: Tensor, cut: GroupNormCut) -> Tensor:
        y: Tensor = self[cut.bank](x, cut)
        return y

    def bound(self, cut: GroupNormCut) -> nn.GroupNorm:
        """The bank in use as a plain norm."""
        return self.bank(cut.bank).bound(cut)

    def bank(self, index: int) -> ElasticGroupNorm:
        found = self[int(index)]
        assert isinstance(found, ElasticGroupNorm)
        return found
