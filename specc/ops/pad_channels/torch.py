"""Zero channels for each slice of a feature map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PadSlices(nn.Module):
    """Widens every slice of a map [N, slices * before, H, W] on its own, to `after` channels with zeros behind."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.before = before
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        slices = x.unflatten(1, (-1, self.before))
        return F.pad(slices, (0, 0, 0, 0, 0, self.after - self.before)).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.before}, {self.after}"
