"""Expressions as Python text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Final, TypeAlias

from specc.ir.expr import INFIX, Apply, Expr, Var
from specc.python import quoted

Text: TypeAlias = tuple[str, int]
"""Python text and how strongly its outermost operation binds: `a + b` is 5, `a * b` 6, a name or call 9."""

ATOM: Final = 9
COMPARED: Final = 4
IF: Final = 0


def number(value: Expr | tuple[Expr, ...]) -> str:
    """A constant in an argument: whole numbers, flags, words, decimals for fractions, and tuples of these."""
    if isinstance(value, tuple):
        return in_brackets([number(item) for item in value])
    if isinstance(value, str):
        return quoted(value)
    return repr(float(value)) if isinstance(value, Fraction) else repr(value)


def in_brackets(texts: Sequence[str]) -> str:
    """A tuple's text."""
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def constant(value: Expr) -> Text:
    """A constant in exact arithmetic."""
    if isinstance(value, Fraction):
        return f"Fraction({value.numerator}, {value.denominator})", ATOM
    text = number(value)
    return text, ATOM if not text.startswith("-") else 7


def parenthesised(text: Text, level: int) -> str:
    return f"({text[0]})" if text[1] < level else text[0]


def compose(function: str, args: Sequence[Text]) -> Text:
    """`function(args)` in Python, exact on ints and fractions."""
    if function == "mul" and args[1][0].isdigit():
        args = (args[1], args[0])  # 6 * channels
    if function in INFIX and function != "div":
        symbol, level = INFIX[function]
        left = parenthesised(args[0], level + (function in ("eq", "ne", "lt", "le", "gt", "ge")))
        return f"{left} {symbol} {parenthesised(args[1], level + 1)}", level
    match function:
        case "div":
            return f"Fraction({args[0][0]}) / {parenthesised(args[1], 7)}", 6
        case "not":
            return f"not {parenthesised(args[0], 3)}", 3
        case "floor":
            return f"{parenthesised(args[0], 6)} // 1", 6
        case "ceil":
            return f"-(-{parenthesised(args[0], 7)} // 1)", 7
        case "round":
            return f"half_up({args[0][0]})", ATOM
        case "if":
            condition, yes, no = (parenthesised(a, 1) for a in args)
            return f"{yes} if {condition} else {no}", IF
    return f"{function}({', '.join(a[0] for a in args)})", ATOM


def floor_division(args: Sequence[Text]) -> Text:
    """The quotient of two expressions, rounded down."""
    return f"{parenthesised(args[0], 6)} // {parenthesised(args[1], 7)}", 6


def python(expr: Expr, name: Callable[[Expr], Text | None]) -> Text:
    """An expression as Python text; `name` says which expressions have a name already."""
    known = name(expr)
    if known is not None:
        return known
    if not isinstance(expr, Apply):
        return constant(expr)
    if expr.function == "position":
        value, *options = expr.args
        return f"position({', '.join([python(value, name)[0], *map(number, options)])})", ATOM
    if expr.function == "floor" and isinstance(expr.args[0], Apply) and expr.args[0].function == "div":
        return floor_division([python(arg, name) for arg in expr.args[0].args])
    return compose(expr.function, [python(arg, name) for arg in expr.args])


SIZE_FUNCTIONS: Final[Mapping[str, str]] = {"round": "half_up", "min": "smallest", "max": "greatest", "if": "pick"}
"""What functions of sizes are called in elastic/net/sizes.py, where they are not called as in the graph."""


def size_text(expr: Expr, name: Callable[[Expr], Text | None]) -> Text:
    """A size as Python text over `Size` objects; `name` says which expressions have a name already."""
    known = name(expr)
    if known is not None:
        return known
    if not isinstance(expr, Apply):
        return constant(expr)
    function = expr.function
    if function == "position":
        value, *options = expr.args
        return f"position({', '.join([size_text(value, name)[0], *map(number, options)])})", ATOM
    if function in ("eq", "ne") and isinstance(expr.args[0], Var):
        choice, option = expr.args
        method = "is_" if function == "eq" else "isnt"
        return f"{size_text(choice, name)[0]}.{method}({number(option)})", ATOM
    if function == "floor" and isinstance(expr.args[0], Apply) and expr.args[0].function == "div":
        top, bottom = (size_text(arg, name) for arg in expr.args[0].args)
        return f"{parenthesised(top, 6)} // {parenthesised(bottom, 7)}", 6
    args = [size_text(arg, name) for arg in expr.args]
    if function in ("and", "or"):
        symbol, level = ("&", 4) if function == "and" else ("|", 3)
        return f" {symbol} ".join(f"({text})" if grade < ATOM else text for text, grade in args), level
    if function == "not":
        return f"~{parenthesised(args[0], ATOM)}", 8
    if function in INFIX:
        if function == "mul" and args[1][0].isdigit():
            args.reverse()  # 6 * channels
        symbol, level = INFIX[function]
        left = parenthesised(args[0], level + (function in ("lt", "le", "gt", "ge")))
        return f"{left} {symbol} {parenthesised(args[1], level + 1)}", level
    return f"{SIZE_FUNCTIONS.get(function, function)}({', '.join(text for text, _ in args)})", ATOM


def quotient(above: Sequence[Text], below: Sequence[Text]) -> Text:
    """`2 * a // (b * c)`; constants stand first."""

    def product(texts: Sequence[Text]) -> Text:
        ordered = sorted(texts, key=lambda text: not text[0].isdigit())
        return " * ".join(parenthesised(text, 7) for text in ordered), ATOM if len(texts) == 1 else 6

    top, bottom = product(above), product(below)
    return f"{parenthesised(top, 6)} // {parenthesised(bottom, 7)}", 6


def condition(expr: Expr, name: Callable[[str], str]) -> str:
    """A guard as Python text, choices by `name`; yes-or-no choices compared with 1 or 0 read as such."""

    def named(e: Expr) -> Text | None:
        return (name(e.choice), ATOM) if isinstance(e, Var) else None

    return python(expr, named)[0]
