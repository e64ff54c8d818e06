"""Expressions as polynomials over symbols: a symbol is an integer function of one choice, or few, known by its values.

What is not polynomial (rounding, comparisons, minima) becomes a symbol by trying every option, so equal functions are
one symbol however they were written, and a size that does not depend on a choice after all no longer reads it:
with a kernel k in {3, 5, 7} and padding (k - 1) // 2 the output is as large as the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import lcm, prod
from typing import Final, TypeAlias

from specc.activity.diagrams import TRUE, Diagrams, Node, Work, run
from specc.activity.entangled import TooManyOptions
from specc.frozen import frozen
from specc.ir.expr import FUNCTIONS, Apply, Expr, Number, Option, Var, normal

Monomial: TypeAlias = tuple[int, ...]
"""The symbols of a product, by their numbers, sorted; a square has its symbol twice."""
Poly: TypeAlias = Mapping[Monomial, Number]
Scope: TypeAlias = tuple[int, ...]
"""Choices by their indices, sorted."""
Table: TypeAlias = tuple[Scope, tuple[Option, ...]]
"""A function of choices: its value for every combination of their options, the last choice varying fastest."""

VALUE_LIMIT: Final = 1 << 18
"""The most values of one symbol."""
BOOLEANS: Final = frozenset({"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge"})
ONE: Final[Mapping[Monomial, Number]] = {(): 1}


@frozen
class Symbol:
    """A function of the choices of `scope`. `node` is the condition it stands for, where it is 1 or 0 by a condition of
    several choices; such a symbol has no table of values."""

    scope: Scope
    values: tuple[int, ...]
    node: Node | None = None


class Symbols:
    """The symbols of one graph, and the polynomials of its expressions. Grows as expressions are asked for."""

    def __init__(self, diagrams: Diagrams) -> None:
        self.diagrams = diagrams
        self.symbols: list[Symbol] = []
        self.plain: dict[int, int] = {}
        self._numbers: dict[object, int] = {}
        self._polys: dict[int, tuple[Expr, Poly]] = {}
        self._tables: dict[Expr, Table] = {}

    def poly(self, expr: Expr) -> Poly:
        """The polynomial of a numeric expression. Raises ValueError where a function reads too many choices at once."""
        known = self._polys.get(id(expr))
        result: Poly = run(self._poly(expr)) if known is None else known[1]
        return result

    def scope(self, expr: Expr) -> frozenset[str]:
        """The names of the choices on which an expression really depends."""
        if not isinstance(expr, Apply):
            return self.diagrams.scope(expr)
        try:
            poly = self.poly(expr)
        except ValueError:  # a word, or a function of too many choices: it reads what is written in it
            return self.diagrams.scope(expr)
        return frozenset(self.diagrams.choices[choice].name for choice in self.reads(poly))

    def reads(self, poly: Poly) -> set[int]:
        """The choices in a polynomial."""
        return {choice for monomial in poly for number in monomial for choice in self.symbols[number].scope}

    def _poly(self, expr: Expr) -> Work:
        if isinstance(expr, (int, Fraction)):
            return {(): expr} if expr else {}
        if isinstance(expr, str):
            raise ValueError(f"the word {expr!r} is used as a number")
        known = self._polys.get(id(expr))
        if known is None:
            known = self._polys[id(expr)] = (expr, (yield self._fresh_poly(expr)))
        return known[1]

    def _fresh_poly(self, expr: Var | Apply) -> Work:
        if isinstance(expr, Var):
            choice = self.diagrams.index[expr.choice]
            return self.of_values((choice,), self.diagrams.options[choice])
        if expr.function in BOOLEANS:
            return self.of_node(self.diagrams.of(expr))
        match expr:
            case Apply("add", (a, b)):
                return self.tidy(add((yield self._poly(a)), (yield self._poly(b))))
            case Apply("sub", (a, b)):
                return self.tidy(add((yield self._poly(a)), scale((yield self._poly(b)), -1)))
            case Apply("mul", (a, b)):
                return multiply((yield self._poly(a)), (yield self._poly(b)))
            case Apply("div", (a, b)):
                quotient = divide((yield self._poly(a)), (yield self._poly(b)))
                if quotient is not None:
                    return quotient
            case Apply("floor" | "ceil" | "round", (a,)):
                whole = yield self._poly(a)
                if all(self.is_whole(monomial, factor) for monomial, factor in whole.items()):
                    return whole
            case Apply("if", (condition, a, b)):
                when = self.of_node(self.diagrams.of(condition))
                then, other = (yield self._poly(a)), (yield self._poly(b))
                return add(other, multiply(when, add(then, scale(other, -1))))
        return self.of_values(*(yield self._table(expr)))

    def of_node(self, node: Node) -> Poly:
        """A condition as a polynomial that is 1 or 0: a conjunction is a product, anything else one symbol."""
        if node <= TRUE:
            return ONE if node == TRUE else {}
        terms = self.diagrams.terms(node)
        if len(terms) > 1:
            scope = tuple(sorted({choice for term in terms for choice, _ in term}))
            return {(self.number(Symbol(scope, (), node), ("node", node)),): 1}
        return {tuple(sorted(self.literal(choice, positions) for choice, positions in terms[0])): 1}

    def literal(self, choice: int, positions: Sequence[int]) -> int:
        """The symbol that is 1 where a choice stands at one of some positions."""
        allowed = set(positions)
        return self.of_single(choice, tuple(int(at in allowed) for at in range(len(self.diagrams.options[choice]))))

    def of_single(self, choice: int, values: tuple[int, ...]) -> int:
        """The symbol of an integer function of one choice."""
        if values == self.diagrams.options[choice]:
            return self.plain_symbol(choice)
        return self.number(Symbol((choice,), values), ((choice,), values))

    def of_values(self, scope: Scope, values: Sequence[Option]) -> Poly:
        """The polynomial of a function given by its values: a constant, a line over the options, or a symbol."""
        numbers = [value for value in values if not isinstance(value, str)]
        if len(numbers) < len(values):
            raise ValueError("a word is used as a number")
        if all(value == numbers[0] for value in numbers):
            return {(): normal(numbers[0])} if numbers[0] else {}  # type: ignore[dict-item]
        if len(scope) == 1:
            line = self.affine(scope[0], numbers)
            if line is not None:
                slope, offset = line
                return {(self.plain_symbol(scope[0]),): slope, **({(): offset} if offset else {})}
        common = lcm(*(Fraction(value).denominator for value in numbers))
        symbol = Symbol(scope, tuple(int(value * common) for value in numbers))
        return {(self.number(symbol, (scope, symbol.values)),): normal(Fraction(1, common))}  # type: ignore[dict-item]

    def affine(self, choice: int, values: Sequence[Number]) -> tuple[Number, Number] | None:
        """(slope, offset) with values = slope * options + offset, where the options and the slope are whole."""
        options = self.diagrams.options[choice]
        if not all(isinstance(option, int) for option in options):
            return None
        first, second = options[0], options[1]
        assert isinstance(first, int)
        assert isinstance(second, int)
        slope = normal(Fraction(values[1] - values[0]) / (second - first))
        assert isinstance(slope, (int, Fraction))
        offset = values[0] - slope * first
        if not isinstance(slope, int):
            return None
        if all(slope * option + offset == value for option, value in zip(options, values, strict=True)):  # type: ignore[operator]
            return slope, normal(offset)  # type: ignore[return-value]
        return None

    def plain_symbol(self, choice: int) -> int:
        """The symbol of a choice whose options are integers: the option itself."""
        if choice not in self.plain:
            symbol = Symbol((choice,), tuple(int(option) for option in self.diagrams.options[choice]))
            self.plain[choice] = self.number(symbol, (symbol.scope, symbol.values))
        return self.plain[choice]

    def number(self, symbol: Symbol, key: object) -> int:
        """The number of a symbol, the same for equal ones."""
        if key not in self._numbers:
            self._numbers[key] = len(self.symbols)
            self.symbols.append(symbol)
        return self._numbers[key]

    def at(self, number: int, full: Mapping[str, Option]) -> int:
        """A symbol's value where every choice it reads has an option."""
        symbol = self.symbols[number]
        if symbol.node is not None:
            return int(self.diagrams.at(symbol.node, full))
        index = 0
        for choice in symbol.scope:
            options = self.diagrams.options[choice]
            index = index * len(options) + options.index(full[self.diagrams.choices[choice].name])
        return symbol.values[index]

    def tidy(self, poly: Poly) -> Poly:
        """Gathers what reads one choice alone into one function of it, where that is not a polynomial anyway."""
        mixed: dict[int, list[Monomial]] = {}
        for monomial in poly:
            choices = {choice for number in monomial for choice in self.symbols[number].scope}
            if len(choices) == 1:
                mixed.setdefault(choices.pop(), []).append(monomial)
        result = dict(poly)
        for choice, monomials in mixed.items():
            plain = self.plain.get(choice)
            if len(mixed) == 1 and len(result) == len(monomials) + 1 and () in result:
                monomials.append(())
            if len(monomials) > 1 and any(number != plain for monomial in monomials for number in monomial):
                values: list[Number] = [0] * len(self.diagrams.options[choice])
                for monomial in monomials:
                    factor = result.pop(monomial)
                    for at, value in enumerate(self.values_of(monomial) if monomial else [1] * len(values)):
                        values[at] += factor * value
                result = dict(add(result, self.of_values((choice,), values)))
        return result

    def values_of(self, monomial: Monomial) -> tuple[int, ...]:
        """The values of a product of symbols that all read one choice and nothing else."""
        columns = [self.symbols[number].values for number in monomial]
        return tuple(prod(row) for row in zip(*columns, strict=True))

    def _table(self, expr: Expr) -> Work:
        """The values of an expression over the choices it depends on."""
        if isinstance(expr, Var):
            choice = self.diagrams.index[expr.choice]
            return (choice,), self.diagrams.options[choice]
        if not isinstance(expr, Apply):
            return (), (expr,)
        known = self._tables.get(expr)
        if known is None:
            tables: list[Table] = []
            for arg in expr.args:
                tables.append((yield self._table(arg)))
            scope = tuple(sorted({choice for reads, _ in tables for choice in reads}))
            if prod(len(self.diagrams.options[choice]) for choice in scope) > VALUE_LIMIT:
                message = f"`{expr.function}` of a size that reads {len(scope)} choices: too many combinations"
                raise TooManyOptions(message)
            columns = [table[1] if table[0] == scope else tuple(self.spread(table, scope)) for table in tables]
            function = FUNCTIONS[expr.function]
            values = tuple(normal(function(*row)) for row in zip(*columns, strict=True))
            known = self._tables[expr] = self.reduced(scope, values)
        return known

    def is_whole(self, monomial: Monomial, factor: Number) -> bool:
        """Whether a product is certainly a whole number for every option of what it reads."""
        if isinstance(factor, int):
            return True
        found = {factor % 1}
        for number in monomial:
            symbol = self.symbols[number]
            values = frozenset(symbol.values) if symbol.node is None else frozenset((0, 1))
            found = {x * value % 1 for x in found for value in values}
        return found == {0}

    def spread(self, table: Table, scope: Scope) -> Iterator[Option]:
        """A table's values over more choices than it reads."""
        reads, values = table
        where = [scope.index(choice) for choice in reads]
        sizes = [len(self.diagrams.options[choice]) for choice in reads]
        for row in product(*(range(len(self.diagrams.options[choice])) for choice in scope)):
            index = 0
            for place, size in zip(where, sizes, strict=True):
                index = index * size + row[place]
            yield values[index]

    def reduced(self, scope: Scope, values: tuple[Option, ...]) -> Table:
        """The same function without the choices on which it does not depend."""
        for place in reversed(range(len(scope))):
            n = len(self.diagrams.options[scope[place]])
            inner = prod(len(self.diagrams.options[choice]) for choice in scope[place + 1 :])
            block = n * inner
            same = all(
                values[start : start + inner] == values[start + at * inner : start + (at + 1) * inner]
                for start in range(0, len(values), block)
                for at in range(1, n)
            )
            if same:
                values = tuple(v for start in range(0, len(values), block) for v in values[start : start + inner])
                scope = (*scope[:place], *scope[place + 1 :])
        return scope, values


def add(a: Poly, b: Poly) -> Poly:
    if not a or not b:
        return a or b
    result = dict(a)
    for monomial, factor in b.items():
        total = result.get(monomial, 0) + factor
        if total:
            result[monomial] = total
        else:
            result.pop(monomial, None)
    return result


def scale(a: Poly, factor: Number) -> Poly:
    return {monomial: factor * value for monomial, value in a.items()}


def multiply(a: Poly, b: Poly) -> Poly:
    """The product; factors that become whole are kept as ints."""
    result: dict[Monomial, Number] = {}
    for left, x in a.items():
        for right, y in b.items():
            monomial = tuple(sorted(left + right))
            total = normal(result.get(monomial, 0) + x * y)
            if total:
                result[monomial] = total  # type: ignore[assignment]
            else:
                result.pop(monomial, None)
    return result


def divide(a: Poly, b: Poly) -> Poly | None:
    """The quotient where `b` is one monomial that divides every monomial of `a`; None otherwise."""
    if len(b) != 1:
        return None
    ((divisor, by),) = b.items()
    result: dict[Monomial, Number] = {}
    for monomial, factor in a.items():
        rest = list(monomial)
        for number in divisor:
            if number not in rest:
                return None
            rest.remove(number)
        quotient = normal(Fraction(factor) / by)
        assert isinstance(quotient, (int, Fraction))
        result[tuple(rest)] = quotient
    return result
