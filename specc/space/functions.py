"""The functions that symbolic sizes and guards are made of, on exact numbers. Truth is 0 and 1."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final, TypeAlias

from specc.space.triangle import support

Number: TypeAlias = int | Fraction
Value: TypeAlias = int | Fraction | str


LARGEST_DENOMINATOR: Final = 10**7
"""Of an option that is a fraction: up to here a float says which one is meant."""


def exact(option: int | float | Fraction | str) -> int | Fraction | str:
    """Decimals as the fractions that are meant: 0.35 is 7/20, 0.3333333333333333 is 1/3. Yes and no are 1 and 0."""
    if isinstance(option, float):
        return Fraction(option).limit_denominator(LARGEST_DENOMINATOR)
    return int(option) if isinstance(option, bool) else option


def floor_of(x: Number) -> int:
    return x if isinstance(x, int) else x.numerator // x.denominator


def divide(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        whole, rest = divmod(a, b)
        return Fraction(a, b) if rest else whole
    quotient = Fraction(a) / Fraction(b)
    return quotient.numerator if quotient.denominator == 1 else quotient


def round_half_up(x: Number) -> int:
    """The nearest integer, halves upwards (not Python's `round`, which goes to even)."""
    return floor_of(x + Fraction(1, 2))


def divisible(v: Number, d: Number) -> int:
    """The multiple of `d` nearest to `v`, at least `d`, and never below 0.9 v: the rule of US-Nets and MobileNet."""
    d = int(d)
    nearest = max(d, floor_of(v + Fraction(d, 2)) // d * d)
    return nearest + d if 10 * nearest < 9 * v else nearest


def position(value: Value, *options: Value) -> int:
    """The index of `value` among `options`; the last one's where it is none of them."""
    return options.index(value) if value in options else len(options) - 1


FUNCTIONS: Final[Mapping[str, Callable[..., Value]]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": divide,
    "floor": floor_of,
    "ceil": lambda x: -floor_of(-x),
    "round": round_half_up,
    "divisible": divisible,
    "min": min,
    "max": max,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
    "and": lambda a, b: int(bool(a) and bool(b)),
    "or": lambda a, b: int(bool(a) or bool(b)),
    "not": lambda a: int(not a),
    "if": lambda condition, a, b: a if condition else b,
    "position": position,
    "support": support,
}
