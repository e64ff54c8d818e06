"""A learned factor and offset for each channel, whole or of a sub-network's width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.layers.per_channel import ChannelsCut, PerChannel, beside
from elastic.net.sizes import Size, largest


class Affine(nn.Module):
    """Multiplies every channel by a learned factor, at first `start`, and adds a learned offset, at first 0.

    Input and output are maps [N, C, H, W], tokens [N, T, C] or vectors [N, C].
    """

    decays_as = "norm"

    def __init__(self, features: int, start: float = 1.0) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.full((features,), float(start)))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(beside(self.bias, x), beside(self.weight, x), x)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, start={self.start:g}"


class ElasticAffine(PerChannel, Affine):
    """The factors and offsets at their largest size, called with the cut of a sub-network."""

    def __init__(self, features: Size, start: float = 1.0) -> None:
        Affine.__init__(self, largest(features), start)
        self.sizes = (features,)

    def forward(self, x: Tensor, cut: ChannelsCut | None = None) -> Tensor:
        bias = self.bias if cut is None else self.bias[: cut.features]
        return torch.addcmul(beside(bias, x), beside(self.active(cut), x), x)

    @torch.no_grad()
    def extracted(self, cut: ChannelsCut | None) -> Affine:
        """Plain factors and offsets, copies of those that the cut uses."""
        weight = self.active(cut)
        plain = Affine(len(weight), self.start)
        plain.weight = nn.Parameter(weight.detach().clone())
        plain.bias = nn.Parameter(self.bias[: len(weight)].detach().clone())
        return plain.train(self.training)


class Offset(nn.Module):
    """Adds a learned offset to every channel, at first `start`; `features` is 1 where one is for all.

    Input and output are maps [N, C, H, W], tokens [N, T, C] or vectors [N, C].
    """

    decays_as = "norm"

    def __init__(self, features: int = 1, start: float = 0.0) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.full((features,), float(start)))

    def forward(self, x: Tensor) -> Tensor:
        return x + beside(self.weight, x)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, start={self.start:g}"


class ElasticOffset(PerChannel, Offset):
    """The offsets at their largest size, called with the cut of a sub-network."""

    def __init__(self, features: Size, start: float = 0.0) -> None:
        Offset.__init__(self, largest(features), start)
        self.sizes = (features,)

    def forward(self, x: Tensor, cut: ChannelsCut | None = None) -> Tensor:
        return x + beside(self.active(cut), x)

    @torch.no_grad()
    def extracted(self, cut: ChannelsCut | None) -> Offset:
        """Plain offsets, copies of those that the cut uses."""
        weight = self.active(cut)
        plain = Offset(len(weight), self.start)
        plain.weight = nn.Parameter(weight.detach().clone())
        return plain.train(self.training)
