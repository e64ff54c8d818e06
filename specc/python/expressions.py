"""Expressions as Python text.

A text comes with how tightly it binds, so that brackets stand only where they are needed. The callers say what has a
name, and how functions are spelled where their text runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Final, TypeAlias

from specc.ir.expr import INFIX, Apply, Expr, Option
from specc.python import literals

Text: TypeAlias = tuple[str, int]
"""Python, and the level of its outermost operator."""
Sub: TypeAlias = Callable[[Expr], Text]
"""How the arguments of a function are written."""

TERNARY, OR, AND, NOT, COMPARISON, EITHER, BOTH, SUM, FLOOR, PRODUCT, UNARY, POWER, ATOM = range(13)
"""From what binds most loosely. Python has `//` beside `*`; here `(a // b) * c` keeps its brackets for the reader."""

OPERATORS: Final[Mapping[str, tuple[int, int, int]]] = {
    "or": (OR, OR, OR),
    "and": (AND, AND, AND),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), (COMPARISON, COMPARISON + 1, COMPARISON + 1)),
    "|": (EITHER, EITHER, EITHER),
    "&": (BOTH, BOTH, BOTH),
    "+": (SUM, SUM, SUM),
    "-": (SUM, SUM, SUM + 1),
    "//": (FLOOR, FLOOR, PRODUCT + 1),
    "*": (PRODUCT, PRODUCT, PRODUCT),
    "/": (PRODUCT, PRODUCT, PRODUCT + 1),
}
"""The level of an operator, and those that its operands need at least. Comparisons form no chains."""
PREFIXES: Final[Mapping[str, tuple[str, int]]] = {"not": ("not ", NOT), "~": ("~", UNARY), "-": ("-", UNARY)}
PYTHON: Final[Mapping[str, str]] = {**{function: symbol for function, (symbol, _) in INFIX.items()}, "not": "not"}
"""How functions of expressions are spelled on plain numbers; others are called by their names."""


def within(text: Text, level: int) -> str:
    """A text as the operand of an operator, in brackets if it binds more loosely than this level."""
    return text[0] if text[1] >= level else f"({text[0]})"


def infix(symbol: str, left: Text, right: Text) -> Text:
    """`left symbol right`."""
    level, one, other = OPERATORS[symbol]
    return f"{within(left, one)} {symbol} {within(right, other)}", level


def prefix(symbol: str, operand: Text) -> Text:
    """`not operand`."""
    text, level = PREFIXES[symbol]
    return f"{text}{within(operand, level)}", level


def joined(symbol: str, texts: Iterable[Text]) -> Text:
    """One or more operands: `a + b + c`."""
    return reduce(lambda left, right: infix(symbol, left, right), texts)


def product(texts: Sequence[Text]) -> Text:
    """A product whose constants stand first: `2 * a * b`."""
    return joined("*", sorted(texts, key=lambda text: not text[0].isdigit()))


def call(function: str, args: Iterable[Text]) -> Text:
    """`function(args)`."""
    return f"{function}({', '.join(text for text, _ in args)})", ATOM


def constant(value: Option) -> Text:
    """A number or a word, exactly."""
    text = literals.constant(value)
    return text, UNARY if text.startswith("-") else ATOM


def position(expr: Apply, sub: Sub) -> Text:
    """The place of a value among options, which are written as decimals."""
    return call(expr.function, [sub(expr.args[0]), *((literals.inline(option), ATOM) for option in expr.args[1:])])


def applied(expr: Apply, sub: Sub, spelling: Mapping[str, str] = PYTHON) -> Text:
    """A function of arguments that `sub` writes, as an operator or a call: `spelling` says which.

    Where `floor`, `ceil` and `if` have no spelling they are written with Python's operators.
    """
    function, args = expr.function, expr.args
    match function, args:
        case "floor", (Apply("div", (a, b)),):
            return infix("//", sub(a), sub(b))
        case "add", (a, int(b)) if b < 0:
            return infix("-", sub(a), constant(-b))
        case "floor" | "ceil", (a,) if function not in spelling:
            divided = isinstance(a, Apply) and a.function == "div"
            above, below = map(sub, a.args) if divided else (sub(a), constant(1))  # type: ignore[union-attr]
            if function == "floor":
                return infix("//", above, below)
            return prefix("-", infix("//", prefix("-", above), below))
        case "if", (condition, a, b) if function not in spelling:
            yes, asked, no = (within(sub(part), OR) for part in (a, condition, b))
            return f"{yes} if {asked} else {no}", TERNARY
    symbol = spelling.get(function, function)
    texts = [sub(arg) for arg in args]
    if symbol in PREFIXES and len(texts) == 1:
        return prefix(symbol, texts[0])
    return infix(symbol, *texts) if symbol in OPERATORS else call(symbol, texts)


def written(expr: Expr, known: Callable[[Expr, Sub], Text | None], spelling: Mapping[str, str] = PYTHON) -> Text:
    """An expression as Python; `known` gives the text of what has a name or is written differently."""

    def sub(part: Expr) -> Text:
        found = known(part, sub)
        if found is not None:
            return found
        return applied(part, sub, spelling) if isinstance(part, Apply) else constant(part)  # type: ignore[arg-type]

    return sub(expr)
