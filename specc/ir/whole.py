"""Whole numbers in a form that stays whole.

`c * 0.5` is a whole number wherever c is even, but a program that computes it gets a fraction on the way. A size whose
values are known to be whole is rewritten here: as `c / 2`, one division without rest, or rounded down, which
changes nothing. Whoever evaluates it, in Python or from ir.json, then has an int.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm
from typing import Final

from specc.ir.expr import Apply, Expr, Option, Var, apply, free, is_whole

COMPARED: Final = ("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not")


def stays_whole(expr: Expr, whole: frozenset[str]) -> bool:
    """Whether every step of an expression gives an int; `whole` are the choices whose options are ints."""
    match expr:
        case Var(choice):
            return choice in whole
        case Apply("add" | "sub" | "mul" | "min" | "max", args):
            return all(stays_whole(arg, whole) for arg in args)
        case Apply("if", (_, yes, no)):
            return stays_whole(yes, whole) and stays_whole(no, whole)
        case Apply(function, _):
            return function in COMPARED or is_whole(expr)
    return isinstance(expr, int)


def divides_once(expr: Expr, whole: frozenset[str]) -> bool:
    """Whether an expression is a product of ints over a product of ints."""
    above, below = factors(expr)
    return all(stays_whole(factor, whole) for factor in (*above, *below))


def factors(expr: Expr) -> tuple[list[Expr], list[Expr]]:
    """The factors above and below the line of a product of quotients."""
    match expr:
        case Apply("mul" | "div" as function, (left, right)):
            (above, below), (other_above, other_below) = factors(left), factors(right)
            if function == "div":
                other_above, other_below = other_below, other_above
            return above + other_above, below + other_below
        case Fraction():
            return [expr.numerator], [expr.denominator]
    return [expr], []


def ratio(expr: Expr) -> tuple[Expr, Expr]:
    """A product of quotients as one quotient: what is above the line, and what is below it."""
    match expr:
        case Apply("mul" | "div" as function, (left, right)):
            (above, below), (other_above, other_below) = ratio(left), ratio(right)
            if function == "div":
                other_above, other_below = other_below, other_above
            return apply("mul", above, other_above), apply("mul", below, other_below)
        case Fraction():
            return expr.numerator, expr.denominator
    return expr, 1


def whole_form(expr: Expr, whole: frozenset[str]) -> Expr:
    """An expression whose values are all whole numbers, in a form that stays whole, or is divided once at the end."""
    if stays_whole(expr, whole):
        return expr
    if divides_once(expr, whole):
        above, below = factors(expr)
        fraction = any(isinstance(factor, Fraction) for factor in leaves(expr))
        return apply("div", product(above), product(below)) if fraction else expr
    return floored(expr, whole)


def part(size: Expr) -> Expr:
    """A size as a part of a sum: one that is divided is rounded down, which changes nothing."""
    above, below = ratio(size)
    return size if below == 1 else apply("floor", apply("div", above, below))


def floored(expr: Expr, whole: frozenset[str]) -> Expr:
    """An expression rounded down, where it is written: of the parts of a sum only those that are not whole."""
    if stays_whole(expr, whole):
        return expr
    match expr:
        case Apply("min" | "max" as function, args):
            return apply(function, *(floored(arg, whole) for arg in args))
        case Apply("if", (condition, yes, no)):
            return apply("if", condition, floored(yes, whole), floored(no, whole))
        case Apply("add", (left, right)) if stays_whole(left, whole) or stays_whole(right, whole):
            return apply("add", floored(left, whole), floored(right, whole))
        case Apply("sub", (left, right)) if stays_whole(right, whole):
            return apply("sub", floored(left, whole), right)
    above, below = factors(expr)
    if all(stays_whole(factor, whole) for factor in (*above, *below)):
        return apply("floor", apply("div", product(above), product(below)))
    return apply("floor", expr)


def factor_beside(expr: Expr, variable: str) -> Expr | None:
    """What a variable is multiplied by in an expression that is a product with it; None in any other."""
    above, below = factors(expr)
    rest = [factor for factor in above if factor != Var(variable)]
    if len(rest) != len(above) - 1 or any(variable in free(factor) for factor in (*rest, *below)):
        return None
    return apply("div", product(rest), product(below))


def needed_multiple(values: Iterable[Option], unit: int) -> int:
    """Of what a number must be a multiple, so that it is one of `unit` times each of these values."""
    return lcm(*(Fraction(value, unit).denominator for value in values if isinstance(value, (int, Fraction))))


def leaves(expr: Expr) -> list[Expr]:
    """The numbers and variables in a product of quotients."""
    if isinstance(expr, Apply) and expr.function in ("mul", "div"):
        return [leaf for arg in expr.args for leaf in leaves(arg)]
    return [expr]


def product(terms: Sequence[Expr]) -> Expr:
    total: Expr = 1
    for term in terms:
        total = apply("mul", total, term)
    return total
