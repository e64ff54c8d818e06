"""What flags take: numbers within their bounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import isnan


def whole(least: int) -> Callable[[str], int]:
    """A flag's type: a whole number of at least so much."""

    def number(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if found < least:
            raise argparse.ArgumentTypeError(f"{found} is less than {least}")
        return found

    return number


def cost(text: str) -> float:
    """A flag's type: a limit of a cost, as in 20e6."""
    try:
        found = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if isnan(found) or found < 0:
        raise argparse.ArgumentTypeError(f"{text} is no cost: a number from 0 on is expected")
    return found


def share(text: str) -> float:
    """A flag's type: a number from 0 to 1."""
    try:
        found = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share: a number from 0 to 1 is expected")
    return found
