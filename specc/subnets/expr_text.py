"""Sizes as Python that a person can check: `(a["resolution"] - 1) // 4 + 1`, exact like the functions it names.

A text comes with how tightly it binds, so that brackets stand only where they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Final, TypeAlias

from specc.ir.expr import Apply, Expr, Option

Text: TypeAlias = tuple[str, int]
"""Python, and the level of its outermost operator."""
Sub: TypeAlias = Callable[[Expr], Text]
"""How the arguments of a function are written."""

COMPARISON, SUM, FLOOR, PRODUCT, POWER, ATOM = 4, 5, 6, 7, 8, 9
COMPARISONS: Final[Mapping[str, str]] = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
FUNCTIONS: Final[Mapping[str, str]] = {
    "div": "divide",
    "floor": "floor_of",
    "round": "round_half_up",
    "divisible": "divisible",
    "min": "min",
    "max": "max",
    "position": "position",
    "support": "support",
}
"""The functions that stand in a text by a name: those of Python, and of `specc.space`."""
HOMES: Final[Mapping[str, str]] = {
    "divide": "specc.space.functions",
    "divisible": "specc.space.functions",
    "exact": "specc.space.functions",
    "floor_of": "specc.space.functions",
    "position": "specc.space.functions",
    "round_half_up": "specc.space.functions",
    "support": "specc.space.functions",
}


def within(text: Text, level: int) -> str:
    """A text as the operand of an operator of some level."""
    return text[0] if text[1] >= level else f"({text[0]})"


def literal(value: Option) -> Text:
    """A number or a word."""
    if isinstance(value, str):
        return '"' + value + '"' if value.isidentifier() else repr(value), ATOM
    if isinstance(value, Fraction):
        return f"Fraction({value.numerator}, {value.denominator})", ATOM
    return (str(int(value)), ATOM) if value >= 0 else (str(int(value)), SUM)


def applied(expr: Apply, sub: Sub) -> Text:
    """A function of other sizes."""
    name, args = expr.function, expr.args
    match name, args:
        case "add", (a, int(b)) if b < 0:
            return f"{within(sub(a), SUM)} - {-b}", SUM
        case "add", (a, b):
            return f"{within(sub(a), SUM)} + {within(sub(b), SUM)}", SUM
        case "sub", (a, b):
            return f"{within(sub(a), SUM)} - {within(sub(b), SUM + 1)}", SUM
        case "mul", (Fraction() as a, b) | (b, Fraction() as a):
            times = within(sub(b), PRODUCT)
            text = times if a.numerator == 1 else f"{times} * {a.numerator}"
            return f"divide({text}, {a.denominator})", ATOM
        case "mul", (a, b):
            return f"{within(sub(a), PRODUCT)} * {within(sub(b), PRODUCT)}", PRODUCT
        case "floor" | "ceil", (Apply("div", (_, int(_))),):
            inner, by = halved(args[0])
            if name == "floor":
                return f"{within(sub(inner), FLOOR)} // {by}", FLOOR
            return f"-(-{within(sub(args[0].args[0]), POWER)} // {args[0].args[1]})", SUM  # type: ignore[union-attr]
        case "ceil", (a,):
            return f"-floor_of(-{within(sub(a), POWER)})", SUM
        case "if", (condition, a, b):
            texts = (within(sub(a), COMPARISON), within(sub(condition), COMPARISON), within(sub(b), COMPARISON))
            return "{} if {} else {}".format(*texts), 0
        case "and" | "or", (a, b):
            return f"bool({within(sub(a), COMPARISON)} {name} {within(sub(b), COMPARISON)})", ATOM
        case "not", (a,):
            return f"(not {within(sub(a), COMPARISON)})", ATOM
        case str(), (a, b) if name in COMPARISONS:
            return f"({within(sub(a), SUM)} {COMPARISONS[name]} {within(sub(b), SUM)})", ATOM
    return f"{FUNCTIONS[name]}({', '.join(sub(arg)[0] for arg in args)})", ATOM


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
    words: list[Text] = []
    for group in groups:
        counted: dict[Text, int] = {}
        for text in group:
            counted[text] = counted.get(text, 0) + 1
        words += [text if n == 1 else power(text, n) for text, n in counted.items() if text[0] != "1"]
    if not words:
        return "1", ATOM
    return (" * ".join(within(word, PRODUCT) for word in words), PRODUCT) if len(words) > 1 else words[0]


def power(base: Text, n: int) -> Text:
    """Written as ruff does: `size**2`, and spaces around it after what is no name and no number."""
    text = within(base, POWER + 1)
    return f"{text}**{n}" if text.isidentifier() or text.isdigit() else f"{text} ** {n}", POWER


def added(products: Sequence[Text]) -> Text:
    """A sum with equal products counted: the scales and shifts of a norm are `2 * channels`."""
    counted: dict[Text, int] = {}
    for text in products:
        counted[text] = counted.get(text, 0) + 1
    words = [within(text, SUM) if n == 1 else f"{n} * {within(text, PRODUCT)}" for text, n in counted.items()]
    if not words:
        return "0", ATOM
    if len(words) > 1:
        return " + ".join(words), SUM
    ((text, n),) = counted.items()
    return text if n == 1 else (words[0], PRODUCT)
