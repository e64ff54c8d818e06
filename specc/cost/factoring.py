"""Sums of products, factored: what several products share is computed once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from heapq import heapify, heappop, heappush
from math import gcd

from specc.activity.symbols import Monomial


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


def factored(poly: Mapping[Monomial, int]) -> Sum:
    """A polynomial as a sum of parts, each a symbol times what is left, factored likewise."""
    groups = grouped([monomial for monomial in poly if monomial])
    parts: list[Part] = []
    for lead, monomials in sorted(groups.items()):
        inner: dict[Monomial, int] = {}
        for monomial in monomials:
            rest = list(monomial)
            rest.remove(lead)
            inner[tuple(rest)] = poly[monomial]
        parts.append(part(lead, factored(inner)))
    return Sum(poly.get((), 0), alike(parts))


def grouped(monomials: Sequence[Monomial]) -> dict[int, list[Monomial]]:
    """Products by a symbol that they have in common: first the most frequent one, then that of the rest."""
    having: dict[int, dict[Monomial, None]] = {}
    for monomial in monomials:
        for number in monomial:
            having.setdefault(number, {})[monomial] = None
    queue = [(-len(some), number) for number, some in having.items()]
    heapify(queue)
    groups: dict[int, list[Monomial]] = {}
    while queue:
        count, number = heappop(queue)
        some = having[number]
        if len(some) != -count:
            if some:
                heappush(queue, (-len(some), number))
            continue
        groups[number] = list(some)
        for monomial in groups[number]:
            for other in set(monomial):
                del having[other][monomial]
    return groups


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
    parts: list[Part] = []
    for item in inner.parts:
        if item.factor == common and not item.symbols and item.inner is not None:
            parts += item.inner.parts  # the factor that `alike` took out is gone, and its brackets with it
        else:
            parts.append(Part(item.factor // common, item.symbols, item.inner))
    return Part(common, (symbol,), Sum(inner.constant // common, tuple(parts)))


def operations(sums: Iterable[Sum]) -> int:
    """The additions and multiplications that some sums take, equal ones computed once."""
    known: set[Sum] = set()
    waiting = list(sums)
    count = 0
    while waiting:
        total = waiting.pop()
        if total in known:
            continue
        known.add(total)
        count += len(total.parts) - (not total.constant)
        for item in total.parts:
            count += len(item.symbols) + (item.inner is not None) + (abs(item.factor) != 1) - 1
            if item.inner is not None:
                waiting.append(item.inner)
    return count


def contents(sums: Iterable[Sum]) -> tuple[set[int], set[int]]:
    """The symbols in some sums, and their constants and factors."""
    symbols: set[int] = set()
    factors: set[int] = set()
    waiting = list(sums)
    while waiting:
        total = waiting.pop()
        factors.add(total.constant)
        for item in total.parts:
            factors.add(item.factor)
            symbols.update(item.symbols)
            if item.inner is not None:
                waiting.append(item.inner)
    return symbols, factors
