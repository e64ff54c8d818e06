"""The learned positions of a vision transformer, whole or of a sub-network's width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest


class PositionCut(Cut):
    """The first `features` features."""

    __slots__ = fields = ("features",)

    features: int


class Position(nn.Module):
    """Adds a learned position to every token. Input and output [N, T, C]."""

    decays_as = "position"  # what a recipe without decay calls it

    def __init__(self, tokens: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, tokens, features).normal_(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[2]}"


class ElasticPosition(Position):
    """The positions at their largest size, called with the cut of a sub-network."""

    def __init__(self, tokens: int, features: Size) -> None:
        super().__init__(tokens, largest(features))
        self.sizes = (features,)

    def cut(self, features: int) -> PositionCut | None:
        """The cut for this feature count; None where nothing is cut off."""
        return None if features == self.weight.shape[2] else self.part(features)

    def part(self, features: int) -> PositionCut:
        """The cut for this feature count, also of all."""
        return PositionCut(features)

    def forward(self, x: Tensor, cut: PositionCut | None = None) -> Tensor:
        return x + (self.weight if cut is None else self.weight[:, :, : cut.features])

    @torch.no_grad()
    def extracted(self, cut: PositionCut | None) -> Position:
        """Plain positions with a copy of the features that the cut uses."""
        weight = self.weight if cut is None else self.weight[:, :, : cut.features]
        with torch.device("meta"):  # no random numbers for weights that come next
            plain = Position(weight.shape[1], weight.shape[2])
        plain.weight = nn.Parameter(weight.detach().clone())
        return plain.train(self.training)
