"""Stochastic depth (Huang et al., 2016, "Deep networks with stochastic depth")."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """Zeroes the images of a batch with probability `rate` each while training, and divides the others by 1 - rate.

    Input and output [N, ...]: every image stays or goes as a whole.
    """

    only_training = True  # a deployed network has none

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        kept = x.new_empty(x.shape[:1] + (1,) * (x.dim() - 1)).bernoulli_(1 - self.rate)
        return x * kept.div_(1 - self.rate)

    def extra_repr(self) -> str:
        return f"{self.rate:g}"
