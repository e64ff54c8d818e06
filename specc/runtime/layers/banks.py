"""Several norms for one place, of which each sub-network uses one: switchable norms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from specc.runtime.net.sizes import Size


class Banks(nn.ModuleList):
    """Norms of the same size, called banks. `bank` is the index of the one in use.

    Bank i's parameters are `i.weight` and `i.bias`.
    """

    def __init__(self, norms: Iterable[nn.Module], bank: Size = 0) -> None:
        super().__init__(norms)
        self.sizes = (*self.norm(0).sizes, bank)

    def norm(self, bank: int) -> Any:
        """The norm of a bank."""
        return self[int(bank)]

    def cut(self, features: Any, bank: int) -> Any:
        """The cut for this channel count, one a run where there are several, and this bank."""
        return self.norm(bank).part(features, int(bank))

    part = cut

    def forward(self, x: Tensor, cut: Any) -> Tensor:
        y: Tensor = self[cut.bank](x, cut)
        return y

    def extracted(self, cut: Any) -> Any:
        """The bank in use as a plain norm."""
        return self.norm(cut.bank).extracted(cut)
