"""Group norm for the active channels of a sub-network, with banks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.layers.banks import Banks
from elastic.layers.learned import Learned, first, give
from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest, total


class GroupNormCut(Cut):
    """The first `channels` channels, in `groups` groups, of bank `bank`."""

    __slots__ = fields = ("channels", "groups", "bank")

    channels: int
    groups: int
    bank: int


class ScaledGroupNorm(nn.GroupNorm):
    """`nn.GroupNorm` with a learned scale and no offset, which older versions of torch have no option for."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5) -> None:
        super().__init__(num_groups, num_channels, eps)
        self.register_parameter("bias", None)


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
        affine: bool = True,
        bias: bool = True,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(largest(groups), largest(total(channels)), eps, affine)
        if affine and not bias:
            self.register_parameter("bias", None)
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

    def weights(self, cut: GroupNormCut) -> Learned:
        """The scale and offset [channels] that a cut uses, where there are any: views of the parameters."""
        return first(self, cut, cut.channels)

    def plain(self, groups: int, channels: int) -> nn.GroupNorm:
        """A group norm of torch of the same kind, whose numbers come next."""
        with torch.device("meta"):
            if self.affine and self._parameters["bias"] is None:
                return ScaledGroupNorm(groups, channels, self.eps)
            return nn.GroupNorm(groups, channels, self.eps, self.affine)

    @torch.no_grad()
    def extracted(self, cut: GroupNormCut | None) -> nn.GroupNorm:
        """A plain `nn.GroupNorm` with copies of what the cut uses."""
        n = self.num_channels if cut is None else cut.channels
        groups = self.num_groups if cut is None else cut.groups
        plain = self.plain(groups, n)
        give(plain, self.weight, self.bias, lambda learned: learned[:n])
        return plain.train(self.training)
