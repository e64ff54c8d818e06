"""The rows of an elimination: what is known of the choices taken up, and which of them are alike to the rest.

Every row stands for one of the assignments that led to it; `columns` holds its options, of those choices that the rest
reads with one still to come. Rows are alike when they add the same to every cost whatever is still to come, that is,
when every table over choices to come that their options select from the costs' terms adds up to the same; and when the
same terms of unfinished activities can still hold. Both are told by two sums, modulo 2^64, with factors that look
random: of rows that differ, both agree with a probability of about 2^-100.

A cost is a sum of tables for this, each read by few choices. Every function of several choices is a sum of terms in
one way only, if a term is 0 wherever one of its choices stands at its first option: cost(x) = base + sum over sets v
of choices of h_v(x_v). A cost that is a sum of parts, each of which reads one set of choices, has no terms but those
of sets within such a set. So the grids of all sets, with every other choice at its first option, say everything there
is to know about the cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from specc.space.choices import Space

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


Codes = NDArray[np.uint64]
CODES = 2
"""Sums by which rows are told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """That a choice is active or stands at its first option: one of `terms` holds, each a table of allowed positions
    by choice."""

    scope: tuple[int, ...]
    terms: tuple[dict[int, NDArray[np.bool_]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Readers:
    """What reads several choices, or one: terms of costs and activities; for every choice the numbers of those that
    read it."""

    terms: tuple[Term, ...]
    activities: tuple[Activity, ...]
    terms_of: tuple[tuple[int, ...], ...]
    activities_of: tuple[tuple[int, ...], ...]

    @property
    def scopes(self) -> list[tuple[int, ...]]:
        """Sets of choices that are read together: by a term, by a condition, by a choice and what decides about it."""
        found = [term.scope for term in self.terms]
        for activity in self.activities:
            *conditions, own = activity.terms
            found += [tuple(sorted(term)) for term in conditions]
            found += [(parent, *own) for term in conditions for parent in term]
        return found


def readers(space: Space, terms: Sequence[Term]) -> Readers:
    activities = activities_of(space)
    number = len(space.choices)
    by_term: list[list[int]] = [[] for _ in range(number)]
    by_activity: list[list[int]] = [[] for _ in range(number)]
    for place, term in enumerate(terms):
        for choice in term.scope:
            by_term[choice].append(place)
    for place, activity in enumerate(activities):
        for choice in activity.scope:
            by_activity[choice].append(place)
    return Readers(
        tuple(terms), activities, tuple(map(tuple, by_term)), tuple(map(tuple, by_activity))
    )


def activities_of(space: Space) -> tuple[Activity, ...]:
    """One for each choice that does not always matter: standing at its first option is one more term."""
    index = {name: place for place, name in enumerate(space.choices)}
    tables: dict[tuple[str, tuple[object, ...]], NDArray[np.bool_]] = {}
    options = {name: tuple(some) for name, some in space.choices.items()}

    def table(name: str, allowed: Sequence[object]) -> NDArray[np.bool_]:
        key = (name, tuple(allowed))
        if key not in tables:
            some = set(allowed)
            tables[key] = np.array([option in some for option in options[name]])
        return tables[key]

    found = []
    for name, terms in space.active.items():
        full = [*terms, {name: options[name][:1]}]
        literals = tuple(
            {index[p]: table(p, allowed) for p, allowed in term.items()} for term in full
        )
        scope = tuple(sorted({choice for term in literals for choice in term}))
        found.append(Activity(scope, literals))
    return tuple(found)


class State:
    """The rows after the choices taken up so far. `take_up` and `merge` take turns."""

    def __init__(self, what: Readers, sizes: Sequence[int], kinds: int) -> None:
        self.what = what
        self.sizes = sizes
        self.kinds = kinds
        self.rows = 1
        self.taken = [False] * len(sizes)
        self.columns: dict[int, NDArray[np.int32]] = {}
        self.codes: Codes = np.zeros((1, CODES), np.uint64)
        # Of every choice, how many terms and activities that read it have choices still to come.
        self.open = [0] * len(sizes)
        self.missing = [len(term.scope) for term in what.terms]
        self.unknown = [len(activity.scope) for activity in what.activities]
        for scope in (*(term.scope for term in what.terms), *(a.scope for a in what.activities)):
            for choice in scope:
                self.open[choice] += 1

    def take_up(self, choice: int) -> tuple[Ints, Ints, Ints]:
        """Pairs each row with every option, but for those that no activity allows: (rows, options, what these add to
        every cost [pairs, kinds])."""
        options = self.sizes[choice]
        source = np.repeat(np.arange(self.rows), options)
        option = np.tile(np.arange(options), self.rows)
        columns = {key: column[source] for key, column in self.columns.items()}
        columns[choice] = option.astype(np.int32)
        change = np.zeros((len(source), CODES), np.uint64)
        keep = np.ones(len(source), dtype=bool)
        activities = self.what.activities_of[choice]
        terms = [(number, self.what.terms[number]) for number in self.what.terms_of[choice]]
        for number in activities:
            change -= self.standing(number, columns)[0]
        for _, term in terms:
            change -= self.selected(term, columns)
        self.taken[choice] = True
        for number in activities:
            codes, alive = self.standing(number, columns)
            change += codes
            keep &= alive
        added = np.zeros((len(source), self.kinds), np.int64)
        for number, term in terms:
            change += self.selected(term, columns)
            self.missing[number] -= 1
            if not self.missing[number]:
                for kind, values in enumerate(term.values):
                    added[:, kind] += values[tuple(columns[c] for c in term.scope)]
        if not keep.all():
            source, option, added, change = source[keep], option[keep], added[keep], change[keep]
            columns = {key: column[keep] for key, column in columns.items()}
        self.codes = self.codes[source] + change
        for number in self.what.activities_of[choice]:
            self.unknown[number] -= 1
        self.columns = columns
        self.close(choice)
        return source, option, added

    def close(self, choice: int) -> None:
        """Forgets the options of choices that nothing reads together with one still to come."""
        finished = [
            self.what.terms[n].scope for n in self.what.terms_of[choice] if not self.missing[n]
        ]
        finished += [
            self.what.activities[n].scope
            for n in self.what.activities_of[choice]
            if not self.unknown[n]
        ]
        for scope in finished:
            for one in scope:
                self.open[one] -= 1
                if not self.open[one]:
                    self.columns.pop(one, None)
        if not self.open[choice]:
            self.columns.pop(choice, None)

    def merge(self) -> Ints:
        """Makes one row of those that are alike: the row that each becomes."""
        target, firsts = distinct(self.codes)
        self.rows = len(firsts)
        self.codes = self.codes[firsts]
        self.columns = {key: column[firsts] for key, column in self.columns.items()}
        return target

    def selected(self, term: Term, columns: dict[int, NDArray[np.int32]]) -> Codes:
        """The code of the table over choices to come that every row selects from a term, [rows, CODES]; 0 for a term
        that has no choice taken up, or none to come."""
        inside = [place for place, choice in enumerate(term.scope) if self.taken[choice]]
        outside = [place for place, choice in enumerate(term.scope) if not self.taken[choice]]
        if not inside or not outside:
            return np.zeros((1, CODES), np.uint64)
        order = [1 + place for place in inside] + [0] + [1 + place for place in outside]
        shape = [self.sizes[term.scope[place]] for place in inside]
        values = term.values.transpose(order).reshape(*shape, -1).astype(np.uint64)
        rest = [(term.scope[place], self.sizes[term.scope[place]]) for place in outside]
        table: Codes = values @ factors(rest, self.kinds)
        return table[tuple(columns[term.scope[place]] for place in inside)]

    def standing(
        self, number: int, columns: dict[int, NDArray[np.int32]]
    ) -> tuple[Codes, NDArray[np.bool_]]:
        """The code of what is known of an activity, for every row [rows, CODES], and whether it can still hold."""
        activity = self.what.activities[number]
        rows = len(next(iter(columns.values())))
        done = np.zeros(rows, dtype=bool)
        can = np.zeros(rows, dtype=bool)
        codes = np.zeros((rows, CODES), np.uint64)
        for place, term in enumerate(activity.terms):
            alive = np.ones(rows, dtype=bool)
            complete = True
            for choice, allowed in term.items():
                if self.taken[choice]:
                    alive &= allowed[columns[choice]]
                else:
                    complete = False
            can |= alive
            if complete:
                done |= alive
            else:
                codes += np.where(alive[:, None], mixed(number, place), np.uint64(0))
        if not any(self.taken[choice] for choice in activity.scope) or all(
            self.taken[choice] for choice in activity.scope
        ):
            return np.zeros((1, CODES), np.uint64), can
        return np.where(done[:, None], mixed(number, -1), codes), can


def factors(choices: Sequence[tuple[int, int]], kinds: int) -> Codes:
    """What the entries of a table over some choices, each with so many options, are multiplied by, for all kinds of
    cost [kinds * entries, CODES]: the same for the same options of the same choices, in whatever term they occur."""
    shape = [options for _, options in choices]
    total = np.zeros((kinds, *shape), np.uint64)
    for axis, (choice, options) in enumerate(choices, 1):
        own = scrambled(np.arange(options, dtype=np.uint64) + np.uint64((choice + 1) << 32))
        total += own.reshape([-1 if one == axis else 1 for one in range(len(shape) + 1)])
    total += scrambled(np.arange(kinds, dtype=np.uint64)).reshape(-1, *[1] * len(shape))
    return coded(total.reshape(-1))


@lru_cache(maxsize=4096)
def mixed(*key: int) -> Codes:
    """The codes of a short key, [CODES]."""
    total = np.zeros(1, np.uint64)
    for place, part in enumerate(key):
        total += scrambled(np.array([(part + 2 + (place << 40)) & (1 << 62) - 1], np.uint64))
    found: Codes = coded(total)[0]
    return found


def coded(numbers: Codes) -> Codes:
    """CODES independent codes of each number, [n, CODES]."""
    salts = scrambled(np.arange(1, CODES + 1, dtype=np.uint64))
    return scrambled(numbers[:, None] ^ salts)


def scrambled(numbers: Codes) -> Codes:
    """splitmix64: a permutation of the numbers of 64 bits that looks random."""
    found = numbers + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Codes = found ^ (found >> np.uint64(31))
    return result


def distinct(codes: Codes) -> tuple[Ints, Ints]:
    """Numbers equal rows alike, in the order in which they first occur: (the number of each row, one row's index for
    each number)."""
    _, firsts, back = np.unique(codes[:, 0], return_index=True, return_inverse=True)
    if not (codes[firsts[back]] == codes).all():
        _, firsts, back = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return number[back.reshape(-1)], firsts[order]
