"""Sizes as Python that a person can check: `(a["resolution"] - 1) // 4 + 1`, exact like the functions it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from specc.ir.expr import Apply, Expr
from specc.python.expressions import ATOM, POWER, PYTHON, Sub, Text, applied, call, constant, infix, joined, within

SPACE: Final[Mapping[str, str]] = {**PYTHON, "div": "divide", "floor": "floor_of", "round": "round_half_up"}
"""How functions are spelled in `space.py`: as in Python and in `specc.space`."""
HOMES: Final[Mapping[str, str]] = dict.fromkeys(
    ("divide", "divisible", "exact", "floor_of", "position", "round_half_up", "support"), "specc.space.functions"
)


def size_text(expr: Apply, sub: Sub) -> Text:
    """A function of other sizes."""
    match expr:
        case Apply("mul", (Fraction() as a, b) | (b, Fraction() as a)):
            times = sub(b) if a.numerator == 1 else infix("*", sub(b), constant(a.numerator))
            return call("divide", [times, constant(a.denominator)])
        case Apply("floor", (Apply("div", (_, int(_))) as inner,)):
            size, by = halved(inner)
            return infix("//", sub(size), constant(by))
        case Apply("and" | "or"):
            return call("bool", [applied(expr, sub, SPACE)])
    return applied(expr, sub, SPACE)


def halved(expr: Expr) -> tuple[Expr, int]:
    """floor(floor(x / 2) / 2) is x // 4: what is divided, and by what."""
    by = 1
    while True:
        match expr:
            case Apply("div", (inner, int(n))) if n > 0:
                expr, by = inner, by * n
            case Apply("floor", (Apply("div", (_, int(n))) as inner,)) if n > 0 and by > 1:
                expr = inner
            case _:
                return expr, by


def product(groups: Sequence[Sequence[Text]]) -> Text:
    """Factors with 1 left out; equal ones of a group, the sides of a kernel or of a map, are a power."""
    words = [
        text if n == 1 else power(text, n) for group in groups for text, n in Counter(group).items() if text[0] != "1"
    ]
    return joined("*", words) if words else constant(1)


def power(base: Text, n: int) -> Text:
    """Written as ruff does: `size**2`, and spaces around it after what is no name and no number."""
    text = within(base, ATOM)
    return f"{text}**{n}" if text.isidentifier() or text.isdigit() else f"{text} ** {n}", POWER


def added(products: Sequence[Text]) -> Text:
    """A sum with equal products counted: the scales and shifts of a norm are `2 * channels`."""
    words = [text if n == 1 else infix("*", constant(n), text) for text, n in Counter(products).items()]
    return joined("+", words) if words else constant(0)
