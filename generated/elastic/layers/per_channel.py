"""A learned number for each channel, whole or of a sub-network's width."""

from __future__ import annotations

from torch import Tensor, nn

from elastic.net.plan import Cut


class ChannelsCut(Cut):
    """The first `features` channels or features."""

    __slots__ = fields = ("features",)

    features: int


class PerChannel(nn.Module):
    """What the elastic twin of such a layer has beside it: `weight` [C] at its largest size, of which it uses a part.

    Weight decay spares it and a recipe's `init` leaves it, as it does the scales of norms.
    """

    decays_as = "norm"
    weight: nn.Parameter

    def cut(self, features: int) -> ChannelsCut | None:
        """The cut for this channel count; None where nothing is cut off."""
        return None if features == len(self.weight) else self.part(features)

    def part(self, features: int) -> ChannelsCut:
        """The cut for this channel count, also of all."""
        return ChannelsCut(features)

    def active(self, cut: ChannelsCut | None) -> Tensor:
        """The numbers of the channels in use."""
        return self.weight if cut is None else self.weight[: cut.features]


def beside(weight: Tensor, x: Tensor) -> Tensor:
    """A number a channel [C] in the shape that goes with x: a map [N, C, H, W], tokens [N, T, C] or vectors [N, C]."""
    return weight[:, None, None] if x.dim() == 4 else weight
