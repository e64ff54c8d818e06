"""The total cost as a short computation: few functions of single choices, sums and products factored and shared.

1. An inactive choice reads as nothing: `hidden` stands for `keep * hidden` where it matters only if `keep` holds, so
   its products need not be multiplied by `keep` again (`masked`).
2. Where one choice is read through many functions but beside few others (one width ratio for all), all that it adds
   beside each of them is one function of it, looked up by option (`gathered`).
3. Symbols with proportional cofactors are summed first: the hidden widths of a stage's equal blocks (`merged`).
4. What MACs and parameters have in common is computed once for both (`shared`).
5. What is left is factored by its most frequent symbol, and so on inwards (`factored`); equal sums are computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm, prod

from specc.activity.diagrams import TRUE, Term
from specc.activity.presence import Presence
from specc.activity.symbols import Monomial, Poly, Scope, Symbols
from specc.cost.combine import SUMS, Joint, Tagged, function, gathered, merged
from specc.cost.factoring import Sum, contents
from specc.cost.sharing import shared
from specc.cost.totals import Count, costs_of, totals
from specc.frozen import frozen
from specc.ir.graph import Graph


@frozen
class Program:
    """The computation of both totals.

    sums      MACs and parameters, times `divisor`
    named     the sums that symbols from `SUMS` on stand for
    active    for choices that do not always matter: the terms of which one must hold
    together  the sets of choices that some part of the totals reads together; none lies in another
    bound     a number that no total and no intermediate exceeds in absolute value
    unsigned  a number that no total exceeds, where nothing is divided and no factor or value is negative: modulo
              anything larger, the totals come out right whatever becomes of intermediates; None elsewhere
    """

    presence: Presence
    sums: tuple[Sum, Sum]
    divisor: int
    named: Mapping[int, Sum]
    active: Mapping[int, tuple[Term, ...]]
    together: tuple[Scope, ...]
    bound: int
    unsigned: int | None


def program(graph: Graph, count: Count = "macs") -> Program:
    """The program of a graph's totals."""
    where = costs_of(graph).presence
    symbols = where.symbols
    polys = totals(graph, count)
    divisor = lcm(*(Fraction(factor).denominator for poly in polys for factor in poly.values()))
    active = {
        where.diagrams.index[name]: where.diagrams.terms(node) for name, node in where.active.items() if node != TRUE
    }
    joint = simple(symbols, polys, divisor)
    together = widest(scopes(symbols, joint))
    bound = sum(abs(factor) * largest_value(symbols, monomial) for (_, monomial), factor in joint.items())
    implied = conditions_implied(symbols, active)
    matters = {choice: without(symbols, product_of(where, choice), implied) for choice in active}
    joint = masked(symbols, joint, implied)
    joint = gathered(symbols, joint, matters)
    joint, named = merged(symbols, joint, matters)
    joint = gathered(symbols, joint, matters)
    sums, named = shared(symbols, joint, named)
    numbers, factors = contents([*sums, *named.values()])
    read = [symbols.symbols[number] for number in numbers if number < SUMS]
    signed = divisor != 1 or min(factors, default=0) < 0 or any(min(symbol.values, default=0) < 0 for symbol in read)
    unsigned = None if signed else bound
    return Program(where, sums, divisor, named, active, together, 4 * bound + 1, unsigned)


def simple(symbols: Symbols, polys: Sequence[Poly], divisor: int) -> Joint:
    """Both polynomials with whole factors; in each product one symbol a choice, except for powers of plain options."""
    joint: Joint = {}
    for kind, poly in enumerate(polys):
        for monomial, factor in poly.items():
            product, times = one_each(symbols, monomial)
            key = (kind, product)
            joint[key] = joint.get(key, 0) + int(factor * divisor * times)
    return {key: factor for key, factor in joint.items() if factor}


def one_each(symbols: Symbols, monomial: Monomial) -> tuple[Monomial, int]:
    """A product with the symbols of each choice multiplied into one, and the factor that takes."""
    by_choice: dict[Scope, list[int]] = {}
    for number in monomial:
        by_choice.setdefault(symbols.symbols[number].scope, []).append(number)
    product: list[int] = []
    times = 1
    for scope, numbers in by_choice.items():
        boolean = set(symbols.symbols[numbers[0]].values) <= {0, 1}
        if len(numbers) == 1 or len(scope) > 1 or (not boolean and set(numbers) == {symbols.plain.get(scope[0])}):
            product.extend(numbers)
            continue
        found, factor = function(symbols, scope[0], symbols.values_of(tuple(numbers)))
        times *= factor
        product.extend(found)
    return tuple(sorted(product)), times


def scopes(symbols: Symbols, joint: Iterable[Tagged]) -> Iterator[Scope]:
    """The choices that each product reads."""
    for _, monomial in joint:
        yield tuple(sorted({choice for number in monomial for choice in symbols.symbols[number].scope}))


def widest(found: Iterable[Scope]) -> tuple[Scope, ...]:
    """The scopes that lie in no other, of more than one choice, in order."""
    kept: list[Scope] = []
    by_choice: dict[int, list[Scope]] = {}
    for scope in sorted(set(found), key=lambda scope: (-len(scope), scope)):
        rarest = min((by_choice.get(choice, []) for choice in scope), key=len, default=[])
        if len(scope) > 1 and not any(set(scope) <= set(other) for other in rarest):
            kept.append(scope)
            for choice in scope:
                by_choice.setdefault(choice, []).append(scope)
    return tuple(sorted(kept))


def largest_value(symbols: Symbols, monomial: Monomial) -> int:
    return prod(max((abs(value) for value in symbols.symbols[number].values), default=1) for number in monomial)


def conditions_implied(symbols: Symbols, active: Mapping[int, Sequence[Term]]) -> dict[int, set[int]]:
    """The conditions that hold wherever a choice matters, for choices with one conjunction of them."""
    return {
        choice: {symbols.literal(parent, positions) for parent, positions in terms[0]}
        for choice, terms in active.items()
        if len(terms) == 1
    }


def product_of(where: Presence, choice: int) -> Monomial:
    """The product that is 1 where a choice matters and 0 elsewhere; no matter which where it never does."""
    return next(iter(where.symbols.of_node(where.active[where.diagrams.choices[choice].name])), ())


def masked(symbols: Symbols, joint: Joint, implied: Mapping[int, set[int]]) -> Joint:
    """Without the conditions that a choice of the same product stands for: it is read as 0 where it does not matter."""
    result: Joint = {}
    for (kind, monomial), factor in joint.items():
        key = (kind, without(symbols, monomial, implied))
        result[key] = result.get(key, 0) + factor
    return result


def without(symbols: Symbols, monomial: Monomial, implied: Mapping[int, set[int]]) -> Monomial:
    """A product without the conditions that its choices stand for."""
    choices = {symbols.symbols[number].scope for number in monomial}
    drop = set().union(*(implied.get(scope[0], ()) for scope in choices if len(scope) == 1))
    return tuple(number for number in monomial if number not in drop)
