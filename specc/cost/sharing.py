"""What the MACs and the parameters have in common is computed once for both.

A convolution's weights are used at every position of its output, so its MACs are a multiple of its parameters. Parts of
the totals that are multiples of one another, whether by numbers or by functions of one choice (the positions by the
resolution), become one symbol, a sum: the totals are sums of its multiples.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Final, TypeAlias

from specc.activity.symbols import Monomial, Symbols
from specc.cost.combine import SUMS, Joint, Tagged, scope_of
from specc.cost.factoring import Sum, factored, operations

Direction: TypeAlias = tuple[tuple[Tagged, int], ...]
"""What a shared sum is multiplied by, wherever it occurs; the factors have no common divisor, the first is positive."""

CANDIDATES: Final = 4
"""Choices whose functions are tried as multiples."""


def totals_of(joint: Joint) -> tuple[Sum, Sum]:
    """The MACs and the parameters, factored."""
    macs, params = (factored({m: f for (tag, m), f in joint.items() if tag == kind}) for kind in (0, 1))
    return macs, params


def shared(symbols: Symbols, joint: Joint, sums: dict[int, Sum]) -> tuple[tuple[Sum, Sum], dict[int, Sum]]:
    """Both totals and all sums that symbols stand for: as they are, or with shared sums where that takes the fewest
    operations."""
    best = totals_of(joint), sums
    fewest = operations([*best[0], *sums.values()])
    for outer in multiples(symbols, joint):
        split, more = classes(joint, outer, SUMS + len(sums))
        found = totals_of(split), {**sums, **more}
        count = operations([*found[0], *found[1].values()])
        if count < fewest:
            best, fewest = found, count
    return best


def multiples(symbols: Symbols, joint: Joint) -> Iterator[frozenset[int]]:
    """The sets of symbols that may be in a multiple: none, or the functions of one choice, where it has several."""
    yield frozenset()
    functions: dict[int, dict[int, None]] = {}
    for _, monomial in joint:
        for number in monomial:
            scope = scope_of(symbols, number)
            if len(scope) == 1:
                functions.setdefault(scope[0], {})[number] = None
    several = [numbers for numbers in functions.values() if len(numbers) > 1]
    for numbers in sorted(several, key=len, reverse=True)[:CANDIDATES]:
        yield frozenset(numbers)


def classes(joint: Joint, outer: frozenset[int], first: int) -> tuple[Joint, dict[int, Sum]]:
    """Every set of products that the totals have the same multiples of becomes one symbol, numbered from `first`."""
    vectors: dict[Monomial, dict[Tagged, int]] = {}
    for (kind, monomial), factor in joint.items():
        inner = tuple(number for number in monomial if number not in outer)
        times = tuple(number for number in monomial if number in outer)
        vectors.setdefault(inner, {})[(kind, times)] = factor
    members: dict[Direction, dict[Monomial, int]] = {}
    for inner, vector in vectors.items():
        entries = sorted(vector.items())
        common = gcd(*vector.values()) * (1 if entries[0][1] > 0 else -1)
        members.setdefault(tuple((key, factor // common) for key, factor in entries), {})[inner] = common
    result: Joint = {}
    sums: dict[int, Sum] = {}
    for direction, poly in members.items():
        if len(direction) > 1 and (len(poly) > 1 or len(next(iter(poly))) > 1):
            symbol = first + len(sums)
            sums[symbol] = factored(poly)
            poly = {(symbol,): 1}
        for inner, factor in poly.items():
            for (kind, times), by in direction:
                result[(kind, tuple(sorted((*times, *inner))))] = factor * by
    return result, sums
