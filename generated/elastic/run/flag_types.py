"""What flags take: numbers as specs have them (20M, 1.5, 2e-4), within their bounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from math import inf

from elastic.run.numerals import number, read


def whole(least: int) -> Callable[[str], int]:
    """A flag's type: a whole number of at least so much."""

    def whole_number(text: str) -> int:
        try:
            found = -number(text[1:]) if text.startswith("-") else number(text)
        except ValueError:
            found = Fraction(1, 2)
        if not isinstance(found, int):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
        if found < least:
            raise argparse.ArgumentTypeError(f"{found} is less than {least}")
        return found

    return whole_number


def integer(text: str) -> int:
    """A flag's type: a whole number, as in 128 or 2k; whether it fits is the recipe's to say."""
    return whole(-(10**9))(text)


def real(text: str) -> float:
    """A flag's type: a number, as in 0.1, 2e-4 or 1/3; whether it fits is the recipe's to say."""
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)
    try:
        found = read(text)
    except ValueError:
        found = text
    if isinstance(found, (bool, str)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number, as 0.1, 2e-4 or 1/3 are")
    return float(found)


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
