"""JSON that anybody may have written: whatever is wrong with it is a ValueError, every number is finite."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

MOST_DIGITS: Final = 4000
"""Python's own limit, nearly: reading a number takes time by the square of its length."""


def read_json(text: str | bytes) -> Any:
    """The value that a text holds. Raises ValueError: no JSON, nested too deeply, NaN, or a number beyond floats."""
    try:
        return json.loads(text, parse_constant=refused, parse_float=finite, parse_int=whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits} is beyond all floating-point numbers")
    return number


def whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits is too long")
    return int(digits)
