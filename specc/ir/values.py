"""The values that an expression takes over all assignments, found without trying every one of them.

What reads different choices varies independently: the values of `a + b` are the sums of those of `a` and of `b`. So
the sum of twelve elastic widths has a few hundred values, although a billion assignments give them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final

from specc.ir.choice import Options
from specc.ir.expr import FUNCTIONS, Apply, Expr, Option, Var, apply, evaluate, free, normal, tabulate

MOST_TRIED: Final = 20_000
"""Combinations of options that are tried one by one."""
MOST_VALUES: Final = 100_000
"""Values that are kept of one expression."""
NO_VALUE: Final = "no number"
"""Stands for the result of a division by zero, or of arithmetic on words."""


@dataclass(frozen=True, slots=True)
class Values:
    """Every value of an expression is among `options`; where `exact`, each of them is taken at some assignment."""

    options: frozenset[Option]
    exact: bool


class ValueTable:
    """The values of expressions over given choices, each computed once."""

    def __init__(self, options: Mapping[str, Options]) -> None:
        self.options = options
        self._known: dict[Expr, Values | None] = {}
        self._columns: dict[Expr, tuple[Option, ...]] = {}

    def of(self, expr: Expr) -> Values | None:
        """What an expression can be; None where that is too much to keep."""
        if not isinstance(expr, (Var, Apply)):
            return Values(frozenset((expr,)), True)
        if expr not in self._known:
            self._known[expr] = self.fresh(expr)
        return self._known[expr]

    def fresh(self, expr: Var | Apply) -> Values | None:
        if isinstance(expr, Var):
            options = self.options[expr.choice]
            return Values(frozenset(options), True) if len(options) <= MOST_VALUES else None
        if len(free(expr)) == 1 and self.combinations(expr) <= MOST_VALUES:
            return Values(frozenset(self.column(expr)), True)
        parts = expr.args
        if expr.function in ("add", "sub"):
            parts = self.independent_terms(expr)
            if len(parts) > 1:
                return self.image("add", parts)
        if len(free(expr)) < sum(len(free(part)) for part in expr.args) and self.combinations(expr) <= MOST_TRIED:
            names = sorted(free(expr))
            tried = (dict(zip(names, row)) for row in product(*(tuple(self.options[name]) for name in names)))
            return Values(frozenset(value_at(expr, at) for at in tried), True)
        return self.image(expr.function, expr.args)

    def column(self, expr: Apply) -> Sequence[Option]:
        """The values of a function of one choice, one for each of its options."""
        (name,) = free(expr)
        options = tuple(self.options[name])
        try:
            return tabulate(expr, name, options, self._columns)
        except (ZeroDivisionError, TypeError, ValueError):
            return [value_at(expr, {name: option}) for option in options]

    def image(self, function: str, parts: Sequence[Expr]) -> Values | None:
        """The values of a function of parts: exact where no two of them read one choice."""
        found = [self.of(part) for part in parts]
        known = [values for values in found if values is not None]
        if len(known) < len(found):
            return None
        apart = len(frozenset().union(*map(free, parts))) == sum(len(free(part)) for part in parts)
        exact = apart and all(values.exact for values in known)
        if function != "add":
            return self.mapped(function, known, exact)
        total: Values | None = known[0]
        for other in known[1:]:
            if total is not None:
                total = self.mapped("add", (total, other), exact)
        return total

    def mapped(self, function: str, args: Sequence[Values], exact: bool) -> Values | None:
        if prod(len(values.options) for values in args) > 10 * MOST_VALUES:
            return None
        found = frozenset(result(function, row) for row in product(*(values.options for values in args)))
        return Values(found, exact) if len(found) <= MOST_VALUES else None

    def independent_terms(self, expr: Apply) -> tuple[Expr, ...]:
        """A sum as parts of which no two read one choice."""
        groups: list[tuple[set[str], Expr]] = []
        for sign, term in terms(expr):
            reads, total = set(free(term)), term if sign > 0 else apply("mul", -1, term)
            apart = []
            for others, sum_ in groups:
                if reads.isdisjoint(others):
                    apart.append((others, sum_))
                else:
                    reads, total = reads | others, apply("add", sum_, total)
            groups = [*apart, (reads, total)]
        return tuple(total for _, total in groups)

    def combinations(self, expr: Expr) -> int:
        return prod(len(self.options[name]) for name in free(expr))

    def witness(self, expr: Expr, wrong: Callable[[Option], bool]) -> dict[str, Option] | None:
        """An assignment at which an expression has a wrong value: the first of all, or one found among many tries."""
        names = sorted(free(expr))
        for row in self.rows(names):
            at = dict(zip(names, row))
            if wrong(value_at(expr, at)):
                return at
        return None

    def rows(self, names: Sequence[str]) -> Iterator[Sequence[Option]]:
        """All combinations of options; of very many the corners, each option by itself, and some drawn at random."""
        tables = [self.options[name] for name in names]
        if prod(map(len, tables)) <= MOST_TRIED:
            yield from product(*map(tuple, tables))
            return
        largest = [options[-1] for options in tables]
        yield largest
        for place, options in enumerate(tables):
            for option in options[: MOST_TRIED // len(tables)] if len(options) > MOST_TRIED else options:
                yield [*largest[:place], option, *largest[place + 1 :]]
        rng = random.Random(0)
        for _ in range(MOST_TRIED // 10):
            yield [options[rng.choice((0, -1, rng.randrange(len(options))))] for options in tables]


def terms(expr: Expr, sign: int = 1) -> Iterator[tuple[int, Expr]]:
    """The terms of a sum, each with its sign."""
    if isinstance(expr, Apply) and expr.function in ("add", "sub"):
        left, right = expr.args
        yield from terms(left, sign)
        yield from terms(right, sign if expr.function == "add" else -sign)
    else:
        yield sign, expr


def result(function: str, args: Iterable[Option]) -> Option:
    try:
        return normal(FUNCTIONS[function](*args))
    except (ZeroDivisionError, TypeError, ValueError):
        return NO_VALUE


def value_at(expr: Expr, at: Mapping[str, Option]) -> Option:
    """`evaluate`, and NO_VALUE where there is none."""
    try:
        return evaluate(expr, at)
    except (ZeroDivisionError, TypeError, ValueError):
        return NO_VALUE
