"""Zero channels for each slice of a feature map."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.runtime.net.sizes import Size, largest, total


class PadSlices(nn.Module):
    """Widens each of `slices` slices of a map [N, in, H, W] by zeros behind it, to `out` channels in all.

    Fewer slices may arrive, as they do in a sub-network.
    """

    def __init__(self, in_: Size, out: Size, slices: int) -> None:
        super().__init__()
        self.before = largest(total(in_)) // slices
        self.after = largest(total(out)) // slices

    def forward(self, x: Tensor) -> Tensor:
        slices = torch.unflatten(x, 1, (-1, self.before))
        return F.pad(slices, (0, 0, 0, 0, 0, self.after - self.before)).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"slices of {self.before} to {self.after}"
