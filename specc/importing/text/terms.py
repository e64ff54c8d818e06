"""Formulas of a block's parameters and of `in`, as the writer finds and prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from specc.source import Source, Span
from specc.space.functions import FUNCTIONS
from specc.syntax import ast

Value: TypeAlias = int | Fraction | bool | str | tuple[object, ...] | None

SPAN = Span(Source("", ""), 0, 0)
"""What the syntax made here stands at: nowhere. `draft.py` prints it, and the parser gives every node its place."""


@dataclass(frozen=True, slots=True)
class Par:
    """A parameter or another name; `in` is one."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """`function(args)`; functions are the operators of arithmetic and conditions, or those that a spec may call."""

    function: str
    args: tuple[Value | Term, ...]


Term: TypeAlias = Par | Apply

IN = Par("in")

BINARY: Mapping[str, str] = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "==": "eq", "!=": "ne", "<": "lt", ">": "gt",
    "and": "and", "or": "or",
}  # fmt: skip


def times(term: Value | Term, factor: int | Fraction) -> Value | Term:
    """`factor * term` as a person writes it: `4 * out`, `out / 4`, `in * 3 / 2`."""
    factor = Fraction(factor)
    if isinstance(term, (int, Fraction)):
        return plain(term * factor)
    if factor == 1:
        return term
    if factor.denominator == 1:
        return Apply("*", (term, plain(factor)) if term == IN else (plain(factor), term))
    if factor.numerator == 1:
        return Apply("/", (term, factor.denominator))
    return Apply("/", (Apply("*", (term, factor.numerator)), factor.denominator))


def plain(value: int | Fraction) -> int | Fraction:
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def evaluated(term: object, names: Mapping[str, object]) -> object:
    """The value of a term, or the term with what `names` knows put in."""
    if isinstance(term, Par):
        return names.get(term.name, term)
    if not isinstance(term, Apply):
        return term
    args = tuple(evaluated(arg, names) for arg in term.args)
    if any(isinstance(arg, (Par, Apply)) for arg in args):
        return logical(term.function, args)
    return applied(term.function, args)


def logical(function: str, args: tuple[object, ...]) -> object:
    """A term of which an argument is open; `and` and `or` may be settled by the others."""
    if function in ("and", "or"):
        settled = function == "or"
        if any(arg is settled for arg in args):
            return settled
        left = tuple(arg for arg in args if arg is not (not settled))
        return left[0] if len(left) == 1 else Apply(function, left)  # type: ignore[arg-type]
    return Apply(function, args)  # type: ignore[arg-type]


def applied(function: str, args: tuple[object, ...]) -> object:
    """A function of values."""
    match function:
        case "==":
            return args[0] == args[1]
        case "!=":
            return args[0] != args[1]
        case "and":
            return all(args)
        case "or":
            return any(args)
        case "not":
            return not args[0]
    made = FUNCTIONS[BINARY.get(function, function)](*args)
    if function in ("<", ">"):
        return bool(made)
    return plain(made) if isinstance(made, (int, Fraction)) and not isinstance(made, bool) else made


def names_in(term: object) -> frozenset[str]:
    if isinstance(term, Par):
        return frozenset([term.name])
    if isinstance(term, Apply):
        return frozenset().union(*map(names_in, term.args))
    return frozenset()


def expression(value: object) -> ast.Expression:
    """A value or term as syntax."""
    match value:
        case Par(name):
            return ast.Name(name, SPAN)
        case Apply("not", (operand,)):
            return ast.Unary("not", expression(operand), SPAN)
        case Apply(function, args) if function in BINARY:
            made = expression(args[0])
            for arg in args[1:]:
                made = ast.Binary(function, made, expression(arg), SPAN)
            return made
        case Apply(function, args):
            given = tuple(ast.Arg(None, expression(arg), SPAN) for arg in args)
            return ast.CallExpr(ast.Name(function, SPAN), given, SPAN)
        case bool():
            return ast.Flag(value, SPAN)
        case int() | Fraction():
            return number(value)
        case str():
            return ast.Name(value, SPAN)
        case tuple():
            return ast.ListExpr(tuple(map(expression, value)), SPAN)
    raise TypeError(f"{value!r} can't be written")


def number(value: int | Fraction) -> ast.Expression:
    """A number; a fraction that no decimal of a few digits is, as a quotient."""
    if value < 0:
        return ast.Unary("-", number(-value), SPAN)
    whole = plain(value)
    if isinstance(whole, int):
        return ast.Number(whole, "", str(whole), SPAN)
    text = decimal(whole)
    if text is None:
        return ast.Binary("/", number(whole.numerator), number(whole.denominator), SPAN)
    return ast.Number(whole, "", text, SPAN)


def decimal(value: Fraction) -> str | None:
    """`0.25`, `1e-5`; None where it has no end, or would be longer than a quotient."""
    rest, digits = value.denominator, 0
    while rest % 10 == 0:
        rest, digits = rest // 10, digits + 1
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    digits += max(twos, fives)
    if rest != 1 or digits > 30:
        return None
    figures = str(value.numerator * 10**digits // value.denominator)
    if len(figures) <= 2 and digits - len(figures) >= 3:
        return f"{figures[0]}.{figures[1]}e-{digits - 1}" if len(figures) == 2 else f"{figures}e-{digits}"
    figures = figures.zfill(digits + 1)
    return f"{figures[:-digits]}.{figures[-digits:]}"
