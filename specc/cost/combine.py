"""Both totals as one polynomial, and its symbols combined into fewer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Final, TypeAlias

from specc.activity.symbols import Monomial, Scope, Symbols
from specc.cost.factoring import Part, Sum

Tagged: TypeAlias = tuple[int, Monomial]
"""A monomial of the MACs (0) or of the parameters (1)."""
Joint: TypeAlias = dict[Tagged, int]
Group: TypeAlias = tuple[tuple[tuple[Tagged, Fraction], ...], list[tuple[int, int]]]
"""Cofactors relative to their first, and the symbols that have them: the first's factor and the symbol, for each."""

SUMS: Final = 1 << 32
"""Symbols from this number on are sums of others."""


def scope_of(symbols: Symbols, number: int) -> Scope:
    """The choices that a symbol reads; those of a sum are not looked into."""
    return symbols.symbols[number].scope if number < SUMS else ()


def function(symbols: Symbols, choice: int, values: Sequence[int], always: Monomial = ()) -> tuple[Monomial, int]:
    """The symbol of a function of one choice divided by its values' greatest common divisor, and that divisor.

    Of a constant, `always` and the constant: the product that is 1 wherever the choice is not read as nothing.
    """
    if len(set(values)) == 1:
        return always, values[0]
    common = gcd(*values)
    number = symbols.of_single(choice, tuple(value // common for value in values))
    return (number,), common


def gathered(symbols: Symbols, joint: Joint, matters: Mapping[int, Monomial]) -> Joint:
    """One function beside each cofactor, for choices of which no fewer functions are looked up than have cofactors.

    `matters` has, for each choice that reads as nothing where it does not matter, the product that is 1 where it does.
    """
    reading: dict[int, dict[Tagged, None]] = {}
    tabled: set[int] = set()

    def note(key: Tagged) -> None:
        for number in key[1]:
            scope = scope_of(symbols, number)
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
        plain = symbols.plain.get(choice)
        looked_up = sum(any(number != plain for number in own) for own in functions)
        if len(cofactors) > looked_up or len(functions) == 1:
            continue
        options = len(symbols.diagrams.options[choice])
        sums = {rest: [joint.pop(rest, 0) if choice not in matters else 0] * options for rest in cofactors}
        for key, (own, rest) in split.items():
            factor = joint.pop(key)
            for at, value in enumerate(symbols.values_of(own)):
                sums[rest][at] += factor * value
        for (kind, monomial), total in sums.items():
            if any(total):
                own, factor = function(symbols, choice, total, matters.get(choice, ()))
                key = (kind, tuple(sorted((*monomial, *(number for number in own if number not in monomial)))))
                joint[key] = joint.get(key, 0) + factor
                note(key)
    return joint


def parted(symbols: Symbols, key: Tagged, choice: int) -> tuple[Monomial, Tagged]:
    """The symbols of a product that read this choice alone, and the rest."""
    kind, monomial = key
    own = tuple(number for number in monomial if scope_of(symbols, number) == (choice,))
    return own, (kind, tuple(number for number in monomial if number not in own))


def merged(symbols: Symbols, joint: Joint, matters: Collection[int]) -> tuple[Joint, dict[int, Sum]]:
    """Symbols with proportional cofactors are summed first, until none are left: functions of one choice become one
    function, others a symbol from `SUMS` on, which stands for the sum returned for it."""
    sums: dict[int, Sum] = {}
    joint = dict(joint)
    while groups := [group for group in proportional(joint) if len(group[1]) > 1]:
        gone: set[int] = set()
        beside_gone: set[int] = set()
        for shares, members in groups:
            numbers = {number for _, number in members}
            rests = {number for (_, rest), _ in shares for number in rest}
            if rests & gone or numbers & beside_gone:
                continue  # one of two groups that multiply each other; the next round looks again
            gone |= numbers
            beside_gone |= rests
            for (kind, beside_it), _ in shares:
                for number in numbers:
                    del joint[(kind, tuple(sorted((*beside_it, number))))]
            symbol, common = summed(symbols, members, sums, matters)
            for (kind, beside_it), share in shares:
                key = (kind, tuple(sorted((*beside_it, *symbol))))
                joint[key] = joint.get(key, 0) + int(share * common)
    return joint, sums


def proportional(joint: Joint) -> Iterator[Group]:
    """The symbols grouped by their cofactors up to a factor; those that occur squared are left out."""
    beside: dict[int, list[tuple[Tagged, int]]] = {}
    for (kind, monomial), factor in joint.items():
        for number in monomial:
            rest = list(monomial)
            rest.remove(number)
            beside.setdefault(number, []).append(((kind, tuple(rest)), factor))
    groups: dict[tuple[tuple[Tagged, Fraction], ...], list[tuple[int, int]]] = {}
    for number, cofactor in sorted(beside.items()):
        if any(number in rest for (_, rest), _ in cofactor):
            continue
        cofactor.sort()
        lead = cofactor[0][1]
        shares = tuple((rest, Fraction(factor, lead)) for rest, factor in cofactor)
        groups.setdefault(shares, []).append((lead, number))
    return iter(groups.items())


def summed(
    symbols: Symbols, members: Sequence[tuple[int, int]], sums: dict[int, Sum], matters: Collection[int]
) -> tuple[Monomial, int]:
    """The symbol of a sum of symbols with factors, and its own factor; where it is a constant, no symbol."""
    by_scope: dict[Scope, list[tuple[int, int]]] = {}
    for factor, number in members:
        scope = scope_of(symbols, number)
        by_scope.setdefault(scope if len(scope) == 1 else (-number,), []).append((factor, number))
    terms: list[tuple[int, int]] = []
    constant = 0
    for scope, some in by_scope.items():
        if len(some) == 1:
            terms += some
            continue
        columns = [[factor * value for value in symbols.symbols[number].values] for factor, number in some]
        values = [sum(row) for row in zip(*columns, strict=True)]
        if len(set(values)) > 1:
            (number,), factor = function(symbols, scope[0], values)
            terms.append((factor, number))
        elif scope[0] in matters:
            terms += some  # a constant only where the choice matters
        else:
            constant += values[0]
    common = gcd(constant, *(factor for factor, _ in terms))
    if not terms:
        return (), constant
    if len(terms) == 1 and not constant:
        return (terms[0][1],), terms[0][0]
    symbol = SUMS + len(sums)
    sums[symbol] = Sum(constant // common, tuple(Part(factor // common, (number,)) for factor, number in terms))
    return (symbol,), common
