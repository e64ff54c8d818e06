"""The class token of a vision transformer, whole or of a sub-network's width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.net.plan import Cut
from elastic.net.sizes import Size, largest


class ClassTokenCut(Cut):
    """The first `features` features."""

    __slots__ = fields = ("features",)

    features: int


class ClassToken(nn.Module):
    """A learned token before all others, at first zeros. Input [N, T, C], output [N, T + 1, C]."""

    decays_as = "class_token"  # what a recipe without decay calls it

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.weight.expand(x.shape[0], -1, -1), x), 1)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[2]}"


class ElasticClassToken(ClassToken):
    """The token at its largest size, called with the cut of a sub-network."""

    def __init__(self, features: Size) -> None:
        super().__init__(largest(features))
        self.sizes = (features,)

    def cut(self, features: int) -> ClassTokenCut | None:
        """The cut for this feature count; None where nothing is cut off."""
        return None if features == self.weight.shape[2] else self.part(features)

    def part(self, features: int) -> ClassTokenCut:
        """The cut for this feature count, also of all."""
        return ClassTokenCut(features)

    def forward(self, x: Tensor, cut: ClassTokenCut | None = None) -> Tensor:
        token = self.weight if cut is None else self.weight[:, :, : cut.features]
        return torch.cat((token.expand(x.shape[0], -1, -1), x), 1)

    @torch.no_grad()
    def extracted(self, cut: ClassTokenCut | None) -> ClassToken:
        """A plain token with a copy of the features that the cut uses."""
        weight = self.weight if cut is None else self.weight[:, :, : cut.features]
        plain = ClassToken(weight.shape[2])
        plain.weight = nn.Parameter(weight.detach().clone())
        return plain.train(self.training)
