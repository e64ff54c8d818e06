"""The functions that symbolic sizes and guards are made of, on exact numbers. Truth is 0 and 1.

The last ones are of triangular connections. In a network of any width every size is the nearest integer to a share of
its largest, so output channel o of C_out appears at the share (o + 1/2) / C_out, and sees the inputs that are active
from there on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Final, TypeAlias


def seen(o: int, inputs: int, outputs: int, least_inputs: int = 1, least_outputs: int = 0) -> int:
    """The number of input channels that output channel o, counted from 0, reads: the first so many of `inputs`.

    max(1, floor(C_in (o + 1/2) / C_out + 1/2)), and `least_inputs` for the `least_outputs` channels that even the
    narrowest sub-network has. In integers: floor((C_in (2 o + 1) + C_out) / (2 C_out)).
    """
    nearest = max(1, (inputs * (2 * o + 1) + outputs) // (2 * outputs))
    return max(nearest, least_inputs) if o < least_outputs else nearest


@lru_cache(maxsize=256)
def supports(
    inputs: int, outputs: int, least_inputs: int = 1, least_outputs: int = 0
) -> tuple[int, ...]:
    """The weights of the first 0, 1, .. `outputs` output channels, one for each pair of channels that is connected."""
    totals = [0]
    for o in range(outputs):
        totals.append(totals[-1] + seen(o, inputs, outputs, least_inputs, least_outputs))
    return tuple(totals)


def support(
    active: int, inputs: int, outputs: int, least_inputs: int = 1, least_outputs: int = 0
) -> int:
    """The connected pairs of channels among the first `active` outputs of a triangular connection."""
    return supports(inputs, outputs, least_inputs, least_outputs)[active]


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
