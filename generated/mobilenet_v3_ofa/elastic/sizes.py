"""The arithmetic of channel counts, on exact numbers."""

from __future__ import annotations

from fractions import Fraction


def divisible(v: int | Fraction, d: int) -> int:
    """The multiple of `d` nearest to `v`, at least `d` and never below 0.9 v (the rule of MobileNet and US-Nets)."""
    nearest = max(d, int(v + Fraction(d, 2)) // d * d)
    return nearest + d if 10 * nearest < 9 * v else nearest


def position(value: int | Fraction | str, *options: int | float | str) -> int:
    """The index of a value among options, decimals standing for their fractions; the last one's where it is none."""
    plain = float(value) if isinstance(value, Fraction) else value
    return options.index(plain) if plain in options else len(options) - 1


def half_up(v: int | Fraction) -> int:
    """The nearest integer, halves upwards."""
    return int((v + Fraction(1, 2)) // 1)
