"""The arithmetic of channel counts, on exact numbers."""

from __future__ import annotations

from fractions import Fraction

from specc.space.functions import divisible as divisible
from specc.space.functions import round_half_up as half_up

__all__ = ["divisible", "half_up", "position"]


def position(value: int | Fraction | str, *options: int | float | str) -> int:
    """The index of a value among options, decimals standing for their fractions; the last one's where it is none."""
    plain = float(value) if isinstance(value, Fraction) else value
    return options.index(plain) if plain in options else len(options) - 1
