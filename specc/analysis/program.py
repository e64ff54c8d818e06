"""The total cost as a short computation: few functions of single choices, sums and products factored and shared.

1. An inactive choice reads as nothing: `hidden` stands for `keep * hidden` where it matters only if `keep` holds, so
   its products need not be multiplied by `keep` again (`masked`).
2. Where one choice is read through many functions but beside few others (one width ratio for all), all that it adds
   beside each of them is one function of it, looked up by option (`gathered`).
3. Symbols with proportional cofactors are summed first: the hidden widths of a stage's equal blocks (`merged`).
4. What is left is factored by its most frequent symbol, and so on inwards (`factored`); equal sums are computed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd, lcm, prod

from specc.analysis.diagrams import TRUE, Term
from specc.analysis.presence import Presence
from specc.analysis.symbols import Monomial, Poly, Scope, Symbols
from specc.analysis.totals import Count, costs_of, totals
from specc.ir.graph import Graph

Tagged = tuple[int, Monomial]
"""A monomial of the MACs (0) or of the parameters (1)."""
Joint = dict[Tagged, int]


@dataclass(frozen=True, slots=True)
class Part:
    """factor * product of symbols * inner sum."""

    factor: int
    symbols: tuple[int, ...]
    inner: Sum | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """A constant and parts."""

    constant: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The computation of both totals.

    sums      MACs and parameters, times `divisor`
    linear    symbols from `first_linear` on: sums of others, given as (factor, symbol) pairs
    active    for choices that do not always matter: the terms of which one must hold
    together  the sets of choices that some part of the totals reads together; none lies in another
    bound     a number that no total and no intermediate exceeds in absolute value
    unsigned  a number that no total exceeds, where nothing is divided and no factor or value is negative: modulo
              anything larger, the totals come out right whatever becomes of intermediates; None elsewhere
    """

    presence: Presence
    sums: tuple[Sum, Sum]
    divisor: int
    linear: Mapping[int, tuple[tuple[int, int], ...]]
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
    joint = masked(symbols, joint, active)
    joint = gathered(symbols, joint)
    joint, linear = merged(joint, len(symbols.symbols))
    sums = tuple(factored({m: f for (tag, m), f in joint.items() if tag == kind}) for kind in (0, 1))
    factors = [*joint.values(), *(factor for pairs in linear.values() for factor, _ in pairs)]
    read = {number for _, monomial in joint for number in monomial if number < len(symbols.symbols)}
    signed = divisor != 1 or min(factors, default=0) < 0 or any(min(symbols.symbols[n].values) < 0 for n in read)
    unsigned = None if signed else bound
    return Program(where, (sums[0], sums[1]), divisor, linear, active, together, 4 * bound + 1, unsigned)


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


def function(symbols: Symbols, choice: int, values: Sequence[int]) -> tuple[Monomial, int]:
    """The symbol of a function of one choice divided by its values' greatest common divisor, and that divisor."""
    if len(set(values)) == 1:
        return (), values[0]
    common = gcd(*values)
    number = symbols.of_single(choice, tuple(value // common for value in values))
    return (number,), common


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


def masked(symbols: Symbols, joint: Joint, active: Mapping[int, Sequence[Term]]) -> Joint:
    """Without the conditions that a choice of the same product stands for: it is read as 0 where it does not matter."""
    implied: dict[int, set[int]] = {}
    for choice, terms in active.items():
        if len(terms) == 1:
            implied[choice] = {symbols.literal(parent, positions) for parent, positions in terms[0]}
    result: Joint = {}
    for (kind, monomial), factor in joint.items():
        choices = {symbols.symbols[number].scope for number in monomial}
        drop = set().union(*(implied.get(scope[0], ()) for scope in choices if len(scope) == 1))
        key = (kind, tuple(number for number in monomial if number not in drop))
        result[key] = result.get(key, 0) + factor
    return result


def gathered(symbols: Symbols, joint: Joint) -> Joint:
    """One function beside each cofactor, for choices read through more functions than they have cofactors."""
    reading: dict[int, dict[Tagged, None]] = {}
    tabled: set[int] = set()

    def note(key: Tagged) -> None:
        for number in key[1]:
            scope = symbols.symbols[number].scope
            if len(scope) == 1:
                reading.setdefault(scope[0], {})[key] = None
                if number != symbols.plain.get(scope[0]):
                    tabled.add(scope[0])

    joint = dict(joint)
    for key in joint:
        note(key)
    for choice in sorted(tabled):
        split = {key: parted(symbols, key, choice) for key in reading[choice] if key in joint}
        functions = {own for own, _ in split.values()}
        cofactors = {rest: None for _, rest in split.values()}
        if len(cofactors) >= len(functions):
            continue
        options = len(symbols.diagrams.options[choice])
        sums = {rest: [joint.pop(rest, 0)] * options for rest in cofactors}
        for key, (own, rest) in split.items():
            factor = joint.pop(key)
            for at, value in enumerate(symbols.values_of(own)):
                sums[rest][at] += factor * value
        for (kind, monomial), total in sums.items():
            if any(total):
                own, factor = function(symbols, choice, total)
                joint[(kind, tuple(sorted((*monomial, *own))))] = factor
                note((kind, tuple(sorted((*monomial, *own)))))
    return joint


def parted(symbols: Symbols, key: Tagged, choice: int) -> tuple[Monomial, Tagged]:
    """The symbols of a product that read this choice alone, and the rest."""
    kind, monomial = key
    own = tuple(number for number in monomial if symbols.symbols[number].scope == (choice,))
    return own, (kind, tuple(number for number in monomial if number not in own))


def merged(joint: Joint, first: int) -> tuple[Joint, dict[int, tuple[tuple[int, int], ...]]]:
    """Symbols with proportional cofactors become one linear symbol, numbered from `first`, until none are left."""
    linear: dict[int, tuple[tuple[int, int], ...]] = {}
    joint = dict(joint)
    while True:
        beside: dict[int, list[tuple[Tagged, int]]] = {}
        for (kind, monomial), factor in joint.items():
            for number in monomial:
                rest = list(monomial)
                rest.remove(number)
                beside.setdefault(number, []).append(((kind, tuple(rest)), factor))
        proportional: dict[tuple[tuple[Tagged, Fraction], ...], list[tuple[int, int]]] = {}
        for number, cofactor in sorted(beside.items()):
            if any(number in rest for (_, rest), _ in cofactor):
                continue
            cofactor.sort()
            lead = cofactor[0][1]
            shares = tuple((rest, Fraction(factor, lead)) for rest, factor in cofactor)
            proportional.setdefault(shares, []).append((lead, number))
        groups = {shares: members for shares, members in proportional.items() if len(members) > 1}
        if not groups:
            return joint, linear
        gone: set[int] = set()
        beside_gone: set[int] = set()
        for shares, members in groups.items():
            numbers = {number for _, number in members}
            rests = {number for (_, rest), _ in shares for number in rest}
            if rests & gone or numbers & beside_gone:
                continue  # one of two groups that multiply each other; the next round looks again
            gone |= numbers
            beside_gone |= rests
            for (kind, beside_it), _ in shares:
                for number in numbers:
                    del joint[(kind, tuple(sorted((*beside_it, number))))]
            common = gcd(*(lead for lead, _ in members))
            symbol = first + len(linear)
            linear[symbol] = tuple((lead // common, number) for lead, number in members)
            for (kind, beside_it), share in shares:
                joint[(kind, tuple(sorted((*beside_it, symbol))))] = int(share * common)


def factored(poly: Mapping[Monomial, int]) -> Sum:
    """A polynomial as a sum of parts, each its most frequent symbol times what is left, factored likewise."""
    often = Counter(number for monomial in poly for number in set(monomial))
    groups: dict[int, dict[Monomial, int]] = {}
    for monomial, factor in poly.items():
        if monomial:
            lead = min(monomial, key=lambda number: (-often[number], number))
            rest = list(monomial)
            rest.remove(lead)
            groups.setdefault(lead, {})[tuple(rest)] = factor
    return Sum(poly.get((), 0), alike([part(lead, factored(rest)) for lead, rest in sorted(groups.items())]))


def alike(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, those that have a factor in common multiplied by it together."""
    by_factor: dict[int, list[Part]] = {}
    for item in parts:
        by_factor.setdefault(item.factor, []).append(item)
    result: list[Part] = []
    for factor, items in by_factor.items():
        if len(items) == 1 or abs(factor) == 1:
            result.extend(items)
        else:
            result.append(Part(factor, (), Sum(0, tuple(Part(1, item.symbols, item.inner) for item in items))))
    return tuple(result)


def part(symbol: int, inner: Sum) -> Part:
    """symbol * inner, with what all parts of the inner sum have in common taken out."""
    if not inner.parts:
        return Part(inner.constant, (symbol,))
    if len(inner.parts) == 1 and not inner.constant:
        only = inner.parts[0]
        return Part(only.factor, tuple(sorted((symbol, *only.symbols))), only.inner)
    common = reduce(gcd, (p.factor for p in inner.parts), inner.constant)
    if inner.constant < 0 or (not inner.constant and inner.parts[0].factor < 0):
        common = -common
    parts = tuple(Part(p.factor // common, p.symbols, p.inner) for p in inner.parts)
    return Part(common, (symbol,), Sum(inner.constant // common, parts))
