"""The least and the most that sizes of a graph can be, and how they are written: `16-24`, `12.3 M`."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod
from typing import Final

from specc.ir.choice import Assignment, Range
from specc.ir.expr import Apply, Expr, Option, Var, decimal, evaluate, free
from specc.ir.graph import Graph

MANY: Final = 4096
"""The most options of one choice that are tried; `FEW` of several together. Beyond, the two ends stand for all."""
FEW: Final = 64


class Extents:
    """Sizes of one graph, each distinct expression looked at once.

    With `at`, a full assignment, every size is the one number that it has there.
    """

    def __init__(self, graph: Graph, at: Assignment | None = None) -> None:
        self.options = {choice.name: choice.options for choice in graph.choices}
        self.ends = (
            {choice.name: choice.smallest for choice in graph.choices},
            {choice.name: choice.largest for choice in graph.choices},
        )
        self.at = None if at is None else {**self.ends[0], **at}
        self.known: dict[Expr, tuple[int, int]] = {}

    def of(self, expr: Expr) -> tuple[int, int]:
        """The least and the most of a whole number; both rounded down where it is none."""
        if isinstance(expr, int):
            return expr, expr
        found = self.known.get(expr)
        if found is None:
            found = self.known[expr] = self.look(expr)
        return found

    def look(self, expr: Expr) -> tuple[int, int]:
        if not isinstance(expr, (Var, Apply)):
            return whole(expr), whole(expr)
        if self.at is not None:
            value = whole(evaluate(expr, self.at))
            return value, value
        names = sorted(free(expr))
        tables = [self.options[name] for name in names]
        if prod(map(len, tables)) <= (MANY if len(names) == 1 else FEW):
            values = [whole(evaluate(expr, dict(zip(names, row, strict=True)))) for row in product(*tables)]
        else:
            values = [whole(evaluate(expr, end)) for end in self.ends]
        return min(values), max(values)

    def range(self, expr: Expr) -> str:
        """`24`, or `16–24` where it varies."""
        low, high = self.of(expr)
        return str(low) if low == high else f"{low}–{high}"


def whole(value: Option) -> int:
    """A number rounded down; 0 for a word."""
    return value if isinstance(value, int) else 0 if isinstance(value, str) else value.numerator // value.denominator


def short(number: float) -> str:
    """`640`, `12.3 k`, `4.09 G`: three digits and a unit."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= 0.9995 * size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return f"{number:g}" if isinstance(number, int) else f"{number:.3g}"


def percent(share: float) -> str:
    """`12.3 %`, `0.04 %`."""
    value = 100 * share
    if value >= 99.95 or value == 0:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.95 else f"{value:.1g} %"


def choice_range(options: Range | tuple[Option, ...]) -> str:
    """`0.25–1 step 0.125`, `128–224 step 8`, `3, 5, 7`: the options of a choice in a few words."""
    if isinstance(options, Range) and len(options) > 2:
        first, last = text(options[0]), text(options[-1])
        step = text(options.step)
        return f"{first}–{last}" if step == "1" else f"{first}–{last} step {step}"
    values = [text(option) for option in options]
    return ", ".join(values) if len(values) <= 6 else f"{values[0]}, {values[1]}, … {values[-1]}"


def text(option: Option) -> str:
    return decimal(option) if isinstance(option, Fraction) else str(option)
