"""Arithmetic of the language: exact, on numbers and on expressions over choices."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.ir.expr import Apply, Expr, apply
from specc.source import Span

WRONG_TYPE = Rule(
    "E223",
    "wrong-type",
    "a value of the wrong kind",
    "Sizes are whole numbers, rates are numbers, switches are yes or no, modes are words.\n"
    "Wrong:  conv(yes, kernel=3)    pool(mean)\n"
    "Right:  conv(64, kernel=3)     pool(avg)",
)
BAD_ARITHMETIC = Rule(
    "E224",
    "bad-arithmetic",
    "an expression has no value",
    "Arithmetic is exact; what has no value, such as a division by zero, is an error where it stands.\n"
    "Wrong:  let c = 64 / (2 - 2)\n"
    "Right:  let c = 64 / 2",
)

OPERATIONS: Final[Mapping[str, str]] = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "and": "and",
    "or": "or",
}
FUNCTION_ARITY: Final[Mapping[str, int]] = {"divisible": 2, "round": 1, "floor": 1, "ceil": 1, "min": 0, "max": 0}
"""The functions a spec may call; 0 stands for two or more arguments."""

LARGEST_MAGNITUDE = 10**30
"""Numbers beyond this are a slip, and would only slow everything down."""

MOST_TERMS, DEEPEST = 2_000, 100
"""An expression over choices is walked as a tree: lets that use each other may make an enormous one."""


def operate(function: str, args: tuple[Expr, ...], span: Span, findings: Findings) -> Expr:
    """`function(args)`; 1 with a diagnostic where it has no value."""
    words = [a for a in args if isinstance(a, str)]
    if words and function not in ("eq", "ne"):
        findings.report(WRONG_TYPE, span, f"`{words[0]}` is a word, and this needs numbers")
        return 1
    try:
        result: Expr = args[0]
        if len(args) == 1:
            result = apply(function, *args)
        for arg in args[1:]:
            result = apply(function, result, arg)
    except ZeroDivisionError:
        findings.report(BAD_ARITHMETIC, span, "this divides by zero")
        return 1
    if isinstance(result, (int, Fraction)) and not -LARGEST_MAGNITUDE <= result <= LARGEST_MAGNITUDE:
        findings.report(BAD_ARITHMETIC, span, "this number is absurdly large")
        return 1
    if isinstance(result, Apply) and (result.size > MOST_TERMS or result.height > DEEPEST):
        findings.report(BAD_ARITHMETIC, span, "this expression over choices has grown too large")
        return 1
    return result
