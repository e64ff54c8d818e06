"""What flags take: numbers as specs have them (20M, 1.5, 2e-4), within their bounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from math import inf

from .numerals import number


def whole(least: int) -> Callable[[str], int]:
    """A flag's type: a whole number of at least so much."""

    def read(text: str) -> int:
        try:
            found = -number(text[1:]) if text.startswith("-") else number(text)
        except ValueError:
            found = Fraction(1, 2)
        if not isinstance(found, int):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
        if found < least:
            raise argparse.ArgumentTypeError(f"{found} is less than {least}")
        return found

    return read


def cost(text: str) -> float:
    """A flag's type: a limit of a cost, as in 20M, 20e6 or 1.5."""
    if text.lower() in ("inf", "infinity"):
        return inf
    if text.startswith("-"):
        raise argparse.ArgumentTypeError(f"{text} is no cost: a number from 0 on is expected")
    try:
        return float(number(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, as 20M, 1.5 or 2e7 are") from None


def share(text: str) -> float:
    """A flag's type: a number from 0 to 1."""
    try:
        found = float(number(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if found > 1:
        raise argparse.ArgumentTypeError(f"{text} is no share: a number from 0 to 1 is expected")
    return found
