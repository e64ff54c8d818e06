"""A border that no maximum takes."""

from __future__ import annotations

from torch import nn


class LowestPad2d(nn.ConstantPad2d):
    """A border of the lowest number there is, minus infinity, around a map [N, C, H, W]: so much at the left, at the
    right, above and below."""

    def __init__(self, padding: tuple[int, int, int, int]) -> None:
        super().__init__(padding, float("-inf"))
