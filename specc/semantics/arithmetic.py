"""Arithmetic of the language: exact, on numbers and on expressions over choices."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from math import prod
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Options
from specc.ir.expr import Apply, Expr, Var, apply, evaluate, free, show
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
    "Arithmetic is exact; what has no value, such as a division by zero, is an error.\n"
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
"""Numbers beyond this, and fractions with a larger denominator, are a slip, and would only slow everything down."""

MOST_TERMS, DEEPEST = 2_000, 100
"""An expression over choices is walked as a tree: lets that use each other may make an enormous one."""

MOST_TRIED = 4_096
"""Combinations of options at which a divisor is looked at."""

COMPARISONS: Final = frozenset(("eq", "ne", "lt", "le", "gt", "ge"))
LOGIC: Final = frozenset(("and", "or", "not"))
TRUTHS: Final = COMPARISONS | LOGIC
"""What gives yes or no. Over choices that is 1 or 0."""

NO_OPTIONS: Final[Mapping[str, Options]] = {}


def operate(
    function: str, args: tuple[Expr, ...], span: Span, findings: Findings, options: Mapping[str, Options] = NO_OPTIONS
) -> Expr:
    """`function(args)`; 1 with a diagnostic where it has no value, at any of the `options` of the choices it reads."""
    problem = wrong_argument(function, args, options)
    if problem:
        findings.report(WRONG_TYPE, span, problem)
        return 1
    if function == "div" and (zero := zero_divisor(args[1], options)) is not None:
        findings.report(BAD_ARITHMETIC, span, f"this divides by zero{zero}")
        return 1
    if function == "divisible" and isinstance(args[0], (int, Fraction)) and args[0] <= 0:
        findings.report(BAD_ARITHMETIC, span, f"this rounds {shown(args[0])}, and a number of channels is positive")
        return 1
    result: Expr = args[0]
    if len(args) == 1:
        result = apply(function, *args)
    for arg in args[1:]:
        result = apply(function, result, arg)
    if isinstance(result, Apply):
        if result.size > MOST_TERMS or result.height > DEEPEST:
            findings.report(BAD_ARITHMETIC, span, "this expression over choices has grown too large")
            return 1
    elif isinstance(result, (int, Fraction)):
        if function in TRUTHS:
            return bool(result)
        if abs(result.numerator) > LARGEST_MAGNITUDE * result.denominator:
            findings.report(BAD_ARITHMETIC, span, "this number is absurdly large")
            return 1
        if result.denominator > LARGEST_MAGNITUDE:
            findings.report(BAD_ARITHMETIC, span, "this fraction has an absurdly large denominator")
            return 1
    return result


def wrong_argument(function: str, args: tuple[Expr, ...], options: Mapping[str, Options]) -> str:
    """What is wrong with the kinds of a function's arguments, "" for nothing: numbers, or conditions, or either."""
    if function in ("eq", "ne"):
        return ""
    for arg in args:
        word = word_in(arg, options)
        if word:
            return f"{word}, and this needs {'a condition' if function in LOGIC else 'numbers'}"
        if function in LOGIC and not is_condition(arg, options):
            return f"{shown(arg)} is a number, and this needs a condition"
    return ""


def word_in(x: Expr, options: Mapping[str, Options]) -> str:
    """How a value that is a word, or may be one, is introduced; "" for numbers and flags."""
    if isinstance(x, str):
        return f"`{x}` is a word"
    if isinstance(x, Var):
        words = [option for option in options.get(x.choice, ()) if isinstance(option, str)]
        if words:
            name = "this choice" if x.choice.startswith("%") else f"`{x.choice}`"
            return f"{name} may be the word `{words[0]}`"
    return ""


def is_condition(x: Expr, options: Mapping[str, Options]) -> bool:
    """Whether a value is yes or no. 1 and 0 pass for them, as what a choice of yes and no is set to."""
    if isinstance(x, Apply):
        return x.function in TRUTHS
    if isinstance(x, Var):
        return all(not isinstance(option, str) and option in (0, 1) for option in options.get(x.choice, ()))
    return x in (0, 1)


def shown(x: Expr) -> str:
    """An expression in a message; choices without a name of their own are not written out."""
    return "this" if any(name.startswith("%") for name in free(x)) else f"`{show(x)}`"


def zero_divisor(x: Expr, options: Mapping[str, Options]) -> str | None:
    """None where a divisor is never zero as far as its choices are known; otherwise where it is, as ` at k=0`."""
    if not isinstance(x, (Var, Apply)):
        return "" if x == 0 else None
    names = sorted(free(x))
    if any(name not in options for name in names) or prod(len(options[name]) for name in names) > MOST_TRIED:
        return None
    for row in product(*(tuple(options[name]) for name in names)):
        if evaluate(x, dict(zip(names, row))) == 0:
            named = [f"{name}={option}" for name, option in zip(names, row) if not name.startswith("%")]
            return f" at {', '.join(named)}" if named else " at an option"
    return None
