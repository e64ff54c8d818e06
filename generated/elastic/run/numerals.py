"""Numbers, switches and words, read the same way in specs, on command lines and in JSON.

A number is digits, perhaps a point and digits, an exponent and a unit: 6, 0.25, 1e-4, 10M, 1ms. It is exact.
Outside specs, where nothing is computed, a fraction (1/4) and a sign may be written too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

LONGEST = 40
"""The most characters of a number."""
LARGEST_EXPONENT = 40
UNITS: Mapping[str, int | Fraction] = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 10**3),
    "s": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
}
NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?(kB|MB|GB|us|ms|[kMGs])?")
TOO_LONG = (
    f"this number is too long: at most {LONGEST} characters, exponents up to {LARGEST_EXPONENT}"
)
FORM = "numbers are written as 6, 0.25 or 1e-4, with a unit as 10M or 1ms"


def number(text: str) -> int | Fraction:
    """The number that a text is, with its unit's factor in it. Raises ValueError, which says why it is none."""
    if len(text) > LONGEST and NUMBER.fullmatch(text):
        raise ValueError(TOO_LONG)
    match = NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text[:LONGEST]}` is not a number: {FORM}")
    whole, fraction, exponent, unit = (part or "" for part in match.groups())
    if len(exponent) > 4 or abs(int(exponent or 0)) > LARGEST_EXPONENT:
        raise ValueError(TOO_LONG)
    value = int(whole + fraction) * Fraction(10) ** (int(exponent or 0) - len(fraction))
    return plain(value * UNITS[unit])


def plain(value: int | Fraction) -> int | Fraction:
    """A whole fraction as an int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def read(text: str) -> bool | int | Fraction | str:
    """`yes`, `no`, a number with or without a sign, a fraction such as `1/4`, or a word.

    Raises ValueError for anything else, which says why.
    """
    if text in ("yes", "no"):
        return text == "yes"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", text):
        return text
    if text.startswith("-"):
        found = read(text[1:])
        if isinstance(found, (bool, str)):
            raise ValueError(f"`{text[:LONGEST]}` is not a number: {FORM}")
        return -found
    over, line, under = text.partition("/")
    if not line:
        return number(text)
    bottom = number(under)
    if bottom == 0:
        raise ValueError(f"`{text[:LONGEST]}` divides by zero")
    return plain(Fraction(number(over)) / bottom)


def written(value: object) -> str:
    """The reverse of `read`: `yes`, `3`, `0.35`, `1/3` or a word; floats as the decimals they are printed as."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if not isinstance(value, Fraction):
        return str(value)
    shown = repr(float(value))
    return shown if Fraction(shown) == value else f"{value.numerator}/{value.denominator}"


def same(option: object, wanted: object) -> bool:
    """Whether a value, or a text as `read` takes it, is this option: `1/3` is the float nearest to a third."""
    if written(option) == written(wanted):
        return True
    try:
        found = read(wanted) if isinstance(wanted, str) else wanted
    except ValueError:
        return False
    values = (option, found)
    if any(
        isinstance(value, bool) or not isinstance(value, (int, float, Fraction)) for value in values
    ):
        return False
    return float(option) == float(found)  # type: ignore[arg-type]
