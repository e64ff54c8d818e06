"""A learned factor for each channel, whole or of a sub-network's width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.layers.per_channel import ChannelsCut, PerChannel, beside
from elastic.net.sizes import Size, largest


class LayerScale(nn.Module):
    """Multiplies every channel by a learned factor, at first `start`.

    Input and output are maps [N, C, H, W], tokens [N, T, C] or vectors [N, C].
    """

    decays_as = "norm"

    def __init__(self, features: int, start: float = 1e-6) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.full((features,), float(start)))

    def forward(self, x: Tensor) -> Tensor:
        return x * beside(self.weight, x)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, start={self.start:g}"


class ElasticLayerScale(PerChannel, LayerScale):
    """The factors at their largest size, called with the cut of a sub-network."""

    def __init__(self, features: Size, start: float = 1e-6) -> None:
        LayerScale.__init__(self, largest(features), start)
        self.sizes = (features,)

    def forward(self, x: Tensor, cut: ChannelsCut | None = None) -> Tensor:
        return x * beside(self.active(cut), x)

    @torch.no_grad()
    def extracted(self, cut: ChannelsCut | None) -> LayerScale:
        """Plain factors, copies of those that the cut uses."""
        weight = self.active(cut)
        plain = LayerScale(len(weight), self.start)
        plain.weight = nn.Parameter(weight.detach().clone())
        return plain.train(self.training)
