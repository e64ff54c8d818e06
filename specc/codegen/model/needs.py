"""The numbers that a class needs: vectors with a value for each of its instances, and the parameters that hold some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from specc.ir.expr import Apply, Expr, Option, Var, apply
from specc.ir.expr import evaluate as value_at
from specc.ops.writing import Value, numbers
from specc.syntax import ast

Vector: TypeAlias = tuple[Value | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """A number that the class's code uses.

    role      what it counts: equal vectors of one role are one number
    values    its value at every instance
    fallback  what to call it if nothing better is found
    template  how the block's definition writes it; `inward` are the channels that arrive there, `in` in the template
    half      the kernel of which it is half, rounded down, and how the definition writes that
    difference  the two numbers whose difference it is
    """

    role: str
    values: Vector
    fallback: str
    template: ast.Expression | None = None
    inward: Vector = ()
    half: Vector = ()
    half_template: ast.Expression | None = None
    difference: tuple[Need, Need] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A parameter of a generated `__init__`. `default` is its default as Python text, "" for none."""

    name: str
    role: str
    values: Vector
    default: str = ""

    def at(self, index: int) -> Value | None:
        return self.values[index]


def same(a: Value | None, b: Value | None) -> bool:
    return a == b and type(a) is type(b)


def agrees(known: Vector, wanted: Vector) -> bool:
    """Whether a known vector can stand for a wanted one: equal wherever that one has values."""
    if all(b is None for b in wanted):
        return False
    return all(b is None or same(a, b) for a, b in zip(known, wanted, strict=True))


def is_constant(values: Vector) -> bool:
    """One literal for all instances that have one. True is no 1 here."""
    given = [value for value in values if value is not None]
    fixed = not any(isinstance(number, (Var, Apply)) for value in given for number in numbers(value))
    return fixed and all(same(value, given[0]) for value in given)


def is_elastic(values: Vector) -> bool:
    return any(isinstance(n, (Var, Apply)) for value in values if value is not None for n in numbers(value))


def first_of(values: Vector) -> Value:
    return next(value for value in values if value is not None)


def at_largest(value: Value | None, largest: Mapping[str, Option]) -> Value | None:
    """A value at the largest sub-network."""
    if isinstance(value, tuple):
        return tuple(at_largest(item, largest) for item in value)  # type: ignore[misc]
    return value_at(value, largest) if isinstance(value, (Var, Apply)) else value


def total(value: Value | None) -> Expr | None:
    """Channels in runs as one number: what `in` is in a spec."""
    if not isinstance(value, tuple):
        return value
    whole: Expr = 0
    for run in value:
        whole = apply("add", whole, run)
    return whole
