"""A cost as a sum of tables, each read by few choices.

Every function of several choices is a sum of terms in one way only, if a term is 0 wherever one of its choices stands
at its first option: cost(x) = base + sum over sets v of choices of h_v(x_v). A cost that is a sum of parts, each of
which reads one set of choices, has no terms but those of sets within such a set. So the grids of all sets, with every
other choice at its first option, say everything there is to know about the cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from elastic.space.choices import Space

Ints = NDArray[np.int64]
GRID_LIMIT = 1_500_000
"""The most combinations of options that all sets together may have: beyond that they are not tried out."""
ASKED_TOGETHER = 16_384
"""About as many assignments are costed at once."""


class TooEntangled(Exception):
    """Choices are too interdependent: too many joint states."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """h_v: `values` [kinds, options of each choice of `scope`], 0 wherever one of them stands at its first option."""

    scope: tuple[int, ...]
    values: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """base [kinds] is what the assignment with every choice at its first option costs."""

    base: tuple[int, ...]
    terms: tuple[Term, ...]


@lru_cache(maxsize=4)
def terms_of(space: Space) -> Terms:
    """The terms of a space's costs that are not 0 throughout. Raises TooEntangled beyond GRID_LIMIT."""
    assert space.costs is not None
    sizes = [len(options) for options in space.choices.values()]
    first = tuple(int(cost[0]) for cost in space.costs(np.zeros((1, len(sizes)), np.int64)))
    known: set[tuple[int, ...]] = set()
    found = []
    scopes = maximal(space)
    for scope, grid in zip(scopes, grids(space, scopes, sizes), strict=True):
        values = grid - np.array(first).reshape(-1, *[1] * len(scope))
        for axis in range(1, len(scope) + 1):
            # What the choice's option adds to its first one's.
            start = values.take([0], axis)
            values -= start
            values[at(axis, 0, values.ndim)] = start[at(axis, 0, values.ndim)]
        for number in range(1, len(scope) + 1):
            for some in combinations(range(len(scope)), number):
                part = tuple(scope[place] for place in some)
                if part in known:
                    continue
                known.add(part)
                inside = [slice(None) if place in some else 0 for place in range(len(scope))]
                table = values[(slice(None), *inside)]
                for axis in range(1, number + 1):
                    if axis == 1:
                        table = table.copy()
                    table[at(axis, 0, table.ndim)] = 0
                if table.any():
                    found.append(Term(part, table))
    return Terms(first, tuple(found))


def at(axis: int, place: int, dimensions: int) -> tuple[slice | int, ...]:
    """The index of one place along one axis."""
    return tuple(place if one == axis else slice(None) for one in range(dimensions))


def maximal(space: Space) -> list[tuple[int, ...]]:
    """The sets of choices that parts of the cost read, in order, and single choices; none lies in another."""
    index = {name: place for place, name in enumerate(space.choices)}
    sets = {tuple(sorted(index[name] for name in scope)) for scope in space.together}
    by_choice: dict[int, list[set[int]]] = {}
    kept = []
    for scope in sorted(sets, key=lambda scope: (-len(scope), scope)):
        others = min((by_choice.get(choice, []) for choice in scope), key=len, default=[])
        if not any(other.issuperset(scope) for other in others):
            kept.append(scope)
            for choice in scope:
                by_choice.setdefault(choice, []).append(set(scope))
    kept += [(choice,) for choice in index.values() if choice not in by_choice]
    return sorted(kept)


def grids(space: Space, scopes: Sequence[tuple[int, ...]], sizes: Sequence[int]) -> Iterator[Ints]:
    """For every set the costs of all combinations of its options, [kinds, options...], everything else at its first."""
    assert space.costs is not None
    shapes = [tuple(sizes[choice] for choice in scope) for scope in scopes]
    numbers = [prod(shape) for shape in shapes]
    if sum(numbers) > GRID_LIMIT:
        raise TooEntangled
    start = 0
    while start < len(scopes):
        end, total = start, 0
        while end < len(scopes) and (end == start or total + numbers[end] <= ASKED_TOGETHER):
            total += numbers[end]
            end += 1
        if end == start + 1 and total > ASKED_TOGETHER:
            yield large_grid(space, scopes[start], shapes[start])
        else:
            rows = np.zeros((total, len(sizes)), np.int64)
            done = 0
            for scope, shape, number in zip(
                scopes[start:end], shapes[start:end], numbers[start:end], strict=True
            ):
                rows[done : done + number, scope] = np.indices(shape).reshape(len(shape), -1).T
                done += number
            costs = np.stack(space.costs(rows))
            done = 0
            for shape, number in zip(shapes[start:end], numbers[start:end], strict=True):
                yield costs[:, done : done + number].reshape(-1, *shape)
                done += number
        start = end


def large_grid(space: Space, scope: tuple[int, ...], shape: tuple[int, ...]) -> Ints:
    """The same for one set of very many combinations, some of them at a time."""
    assert space.costs is not None
    number = prod(shape)
    costs = np.empty((len(space.kinds), number), np.int64)
    for start in range(0, number, ASKED_TOGETHER):
        some = np.arange(start, min(number, start + ASKED_TOGETHER))
        rows = np.zeros((len(some), len(space.choices)), np.int64)
        rows[:, scope] = np.stack(np.unravel_index(some, shape), axis=1)
        costs[:, some] = np.stack(space.costs(rows))
    return costs.reshape(-1, *shape)
