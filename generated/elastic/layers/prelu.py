"""The rectifier whose slope below 0 is learned, with one slope or one a channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.layers.per_channel import ChannelsCut, PerChannel, beside
from elastic.net.sizes import Size, largest


class PReLU(nn.Module):
    """x above 0, slope * x below. Input and output are maps [N, C, H, W], tokens [N, T, C] or vectors [N, C].

    `slopes` is 1, or the number of channels; they are learned, and at first `start`. Unlike `nn.PReLU` it takes the
    channels of tokens where they stand, last.
    """

    decays_as = "norm"

    def __init__(self, slopes: int = 1, start: float = 0.25) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.full((slopes,), float(start)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x * beside(self.weight, x))

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, start={self.start:g}"


class ElasticPReLU(PerChannel, PReLU):
    """A slope for each channel at the largest size, called with the cut of a sub-network."""

    def __init__(self, slopes: Size, start: float = 0.25) -> None:
        PReLU.__init__(self, largest(slopes), start)
        self.sizes = (slopes,)

    def forward(self, x: Tensor, cut: ChannelsCut | None = None) -> Tensor:
        return torch.where(x > 0, x, x * beside(self.active(cut), x))

    @torch.no_grad()
    def extracted(self, cut: ChannelsCut | None) -> PReLU:
        """Plain slopes, copies of those that the cut uses."""
        weight = self.active(cut)
        plain = PReLU(len(weight), self.start)
        plain.weight = nn.Parameter(weight.detach().clone())
        return plain.train(self.training)
