"""Sampling and ranges where the choices are too interdependent for one elimination.

A space that is not too large is listed: all its sub-networks one by one, numbered, without being kept. The choices
are taken up in two halves. Every sub-network is a way through the first half to some row and a way from there through
the second, so that its number says which, and its options stand in two small tables.

Else a global choice is conditioned on, option by option. A resolution, an exit or another choice with very many
readers multiplies the states of the elimination. With its option fixed, what is left is a space of its own. Which of
these a try is made in is drawn by the upper bounds on how many sub-networks they hold in the window, and a try comes
to nothing by as much as its bound is too large: so each sub-network is drawn equally often, whatever space it is in.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import exp, log, prod

import numpy as np
from numpy.typing import NDArray

from specc.space.aim import Effort, aim, draws, start
from specc.space.choices import Space
from specc.space.elimination import (
    Ints,
    Step,
    TooEntangled,
    cost_ranges,
    eliminate,
    eliminate_uncached,
    ranges_in,
)
from specc.space.line import ANY, Window, goal, line_along

MOST = 4_000_000
"""The most sub-networks that are listed: some tenths of a second."""
AT_ONCE = 16_384
"""So many are costed together."""
Positions = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """`size` sub-networks, those of a row in the middle one after the other: each way to it with each way from it.

    begins          [rows + 1], the number of the first sub-network of each row
    first, second   options of the ways to all rows and from all rows, [ways, choices of the half]
    first_at, second_at   [rows + 1], where the ways of each row begin
    choices         those of the two halves
    """

    space: Space
    begins: Ints
    first: Positions
    first_at: Ints
    second: Positions
    second_at: Ints
    choices: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def size(self) -> int:
        return int(self.begins[-1])

    def rows(self, numbers: Ints) -> Ints:
        """The option positions of some sub-networks, [n, choices]."""
        row = np.searchsorted(self.begins, numbers, side="right") - 1
        fan = np.diff(self.second_at)[row]
        to, beyond = np.divmod(numbers - self.begins[row], np.maximum(fan, 1))
        found = np.zeros((len(numbers), len(self.space.choices)), np.int64)
        found[:, self.choices[0]] = self.first[self.first_at[row] + to]
        found[:, self.choices[1]] = self.second[self.second_at[row] + beyond]
        return found

    def costs(self) -> Iterator[tuple[int, Ints]]:
        """The costs of all, [kinds, n], some at a time, each time with the number of the first."""
        assert self.space.costs is not None
        for first in range(0, self.size, AT_ONCE):
            numbers = np.arange(first, min(self.size, first + AT_ONCE))
            yield first, np.stack(self.space.costs(self.rows(numbers)))

    def all_costs(self) -> Ints:
        """The costs of all, [size, kinds]."""
        return np.concatenate([costs for _, costs in self.costs()], axis=1).T


@lru_cache(maxsize=2)
def listing(space: Space) -> Listing | None:
    """The listing of a space; None where there are more than MOST sub-networks, or where they cannot be counted."""
    always = (len(some) for name, some in space.choices.items() if name not in space.active)
    if prod(always) > MOST:
        return None
    try:
        steps = eliminate(space, with_costs=False).steps
    except TooEntangled:
        return None
    to = ways_to(steps)
    if sum(to[-1]) > MOST:
        return None
    beyond = ways_from(steps)
    middle = min(range(len(to)), key=lambda place: sum(to[place]) + sum(beyond[place]))
    first, rows = forwards(steps[:middle])
    order = np.argsort(rows, kind="stable")
    second, starts = backwards(steps[middle:], len(to[middle]))
    firsts, seconds = np.array(to[middle]), np.bincount(starts, minlength=len(to[middle]))
    return Listing(
        space=space,
        begins=summed(firsts * seconds),
        first=first[order],
        first_at=summed(firsts),
        second=second[np.argsort(starts, kind="stable")],
        second_at=summed(seconds),
        choices=(
            tuple(step.choice for step in steps[:middle]),
            tuple(step.choice for step in steps[middle:]),
        ),
    )


def summed(numbers: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(numbers)])


def ways_to(steps: tuple[Step, ...]) -> list[list[int]]:
    """How many ways lead to every row, before each step and after the last; no further than MOST."""
    table = [[1]]
    for step in steps:
        after = [0] * step.rows
        for source, target in zip(step.source.tolist(), step.target.tolist(), strict=True):
            after[target] += table[-1][source]
        table.append(after)
    return table


def ways_from(steps: tuple[Step, ...]) -> list[list[int]]:
    """How many ways go on from every row, before each step and after the last."""
    table = [[1] * (steps[-1].rows if steps else 1)]
    for place in reversed(range(len(steps))):
        step = steps[place]
        before = [0] * (steps[place - 1].rows if place else 1)
        for source, target in zip(step.source.tolist(), step.target.tolist(), strict=True):
            before[source] += table[-1][target]
        table.append(before)
    return table[::-1]


def forwards(steps: tuple[Step, ...]) -> tuple[Positions, Ints]:
    """All ways through some steps: their options [ways, steps], and the row that each leads to."""
    options = np.zeros((1, 0), np.uint32)
    rows = np.zeros(1, np.int64)
    for step in steps:
        way, pair = followed(rows, step.source)
        options = np.column_stack([options[way], step.option[pair].astype(np.uint32)])
        rows = step.target[pair]
    return options, rows


def backwards(steps: tuple[Step, ...], rows_before: int) -> tuple[Positions, Ints]:
    """The same from the end: the options, and the row that each way begins in."""
    options = np.zeros((1, 0), np.uint32)
    rows = np.zeros(1, np.int64)
    if not steps:
        return np.zeros((rows_before, 0), np.uint32), np.arange(rows_before)
    options, rows = np.zeros((steps[-1].rows, 0), np.uint32), np.arange(steps[-1].rows)
    for step in reversed(steps):
        order = np.argsort(step.target, kind="stable")
        way, place = followed(rows, step.target[order])
        pair = order[place]
        options = np.column_stack([step.option[pair].astype(np.uint32), options[way]])
        rows = step.source[pair]
    return options, rows


def followed(rows: Ints, keys: Ints) -> tuple[Ints, Ints]:
    """Every entry of `rows` with each place of it in the sorted `keys`: (indices of `rows`, places)."""
    begin, end = np.searchsorted(keys, rows, "left"), np.searchsorted(keys, rows, "right")
    fans = end - begin
    which = np.repeat(np.arange(len(rows)), fans)
    place = np.arange(len(which)) + np.repeat(begin - np.cumsum(fans) + fans, fans)
    return which, place


@lru_cache(maxsize=2)
def members(of: Listing, window: Window) -> Ints:
    """The numbers of those within a window, in order."""
    found = [np.zeros(0, np.int32)]
    for first, costs in of.costs():
        inside = np.ones(costs.shape[1], dtype=bool)
        for cost, (low, high) in zip(costs, window, strict=True):
            inside &= (cost >= low) & (cost <= high)
        found.append((first + np.flatnonzero(inside)).astype(np.int32))
    return np.concatenate(found)


def drawn_from(of: Listing, numbers: Ints) -> Callable[[random.Random, int], Ints]:
    """Draws of some of those listed, each equally likely, as rows of option positions."""

    def attempts(rng: random.Random, number: int) -> Ints:
        picked = [rng.randrange(len(numbers)) for _ in range(number)]
        return of.rows(numbers[picked].astype(np.int64))

    return attempts


MOST_PARTS = 100
"""The most spaces that one is taken apart to."""
WEIGHED = 4
"""How many of the choices that are read the most are tried."""
EFFORT = Effort(60_000, 20_000_000)
TRIES = 3
"""Tries made in every part, for each sub-network wanted, with all there are as the most that are needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A space in which some choices have one option; `at` [choices] is what must be added to its option positions."""

    space: Space
    at: Ints


def parts_of(space: Space) -> list[Part] | None:
    """The spaces that one is taken apart to, so that each has an elimination; None where that takes too many."""
    index = {name: place for place, name in enumerate(space.choices)}
    read = Counter(name for scope in space.together for name in scope)
    globals_ = [name for name, _ in read.most_common() if name not in space.active][:WEIGHED]
    for number in (1, 2):
        for names in combinations(globals_, number):
            sizes = [len(space.choices[name]) for name in names]
            if not 1 < prod(sizes) <= MOST_PARTS:
                continue
            found = []
            for options in product(*map(range, sizes)):
                at = np.zeros(len(index), np.int64)
                at[[index[name] for name in names]] = options
                found.append(Part(fixed(space, dict(zip(names, options, strict=True)), at), at))
            try:
                eliminate_uncached(found[-1].space, with_costs=True)
            except TooEntangled:
                continue
            return found
    return None


def fixed(space: Space, options: dict[str, int], at: Ints) -> Space:
    """The space with one option of some choices, which matter always."""
    costs = space.costs
    assert costs is not None

    def shifted(rows: Ints) -> tuple[Ints, ...]:
        return costs(rows + at)

    choices = {
        name: all_of if name not in options else all_of[options[name] : options[name] + 1]
        for name, all_of in space.choices.items()
    }
    return Space(choices, space.active, space.together, shifted, space.kinds)


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """Some tries in one part: those that came to something, as rows of option positions, and whether each did."""

    weight: float
    rows: Ints
    hits: tuple[bool, ...]


def tried_in(part: Part, window: Window, number: int, rng: random.Random) -> Tried | None:
    """Tries in one part, with the logarithm of its upper bound; None where it is known that nothing is there."""
    elimination = eliminate_uncached(part.space, with_costs=True)
    kinds = [kind for kind, interval in enumerate(window) if interval != ANY] or [0]
    goals = [goal(line_along(elimination, kind), window[kind]) for kind in kinds]
    if any(one is None for one in goals):
        return None
    known = [one for one in goals if one is not None]
    to = aim(elimination, known, EFFORT)
    of = start(to, known[0])
    if not of.bound > 0:
        return None
    rows = draws(to, of, number, rng) + part.at
    hits = [place < len(rows) for place in range(number)]
    rng.shuffle(hits)
    scaled = sum(log(one.factor) for one in to.backs)
    return Tried(log(of.bound) - scaled, rows, tuple(hits))


def tries_in_parts(
    parts: list[Part], window: Window, number: int, rng: random.Random
) -> tuple[Ints, int] | None:
    """Sub-networks that are uniform over the window (or, of several windows, over the first), as rows of option
    positions, and how many tries they took; None where it is known that there are none."""
    lot = TRIES * number + 50
    found = [tried for part in parts if (tried := tried_in(part, window, lot, rng)) is not None]
    if not found:
        return None
    most = max(tried.weight for tried in found)
    weights = [exp(tried.weight - most) for tried in found]
    nexts: list[Iterator[bool]] = [iter(tried.hits) for tried in found]
    used = [0] * len(found)
    kept, tries = [], 0
    for place in rng.choices(range(len(found)), weights, k=lot):
        hit = next(nexts[place], None)
        if hit is None:
            break
        tries += 1
        if hit:
            kept.append(found[place].rows[used[place]])
            used[place] += 1
    width = len(parts[0].at)
    return np.array(kept, np.int64).reshape(-1, width), tries


Range = tuple[int, int]


def ranges_of(space: Space) -> tuple[Range, ...]:
    """(least, most) of every cost over all sub-networks, exactly: by variable elimination, by enumeration where they
    are few, or by one elimination for each option of a global choice. Raises TooEntangled."""
    try:
        return cost_ranges(space)
    except TooEntangled:
        listed = listing(space)
    if listed is not None:
        ends = [(costs.min(axis=1), costs.max(axis=1)) for _, costs in listed.costs()]
        lows, highs = (np.array(some) for some in zip(*ends, strict=True))
        return tuple(zip(lows.min(axis=0).tolist(), highs.max(axis=0).tolist(), strict=True))
    parts = parts_of(space)
    if parts is None:
        raise TooEntangled
    found = [ranges_in(eliminate_uncached(part.space, with_costs=True)) for part in parts]
    return tuple(
        (min(low for low, _ in kind), max(high for _, high in kind))
        for kind in zip(*found, strict=True)
    )
