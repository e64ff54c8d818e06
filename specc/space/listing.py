"""All sub-networks of a space that is not too large, one by one: numbered, without being kept.

The choices are taken up in two halves. Every sub-network is a way through the first half to some row and a way from
there through the second, so that its number says which, and its options stand in two small tables.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from specc.space.choices import Space
from specc.space.elimination import Ints, Step, TooEntangled, eliminate
from specc.space.line import Window

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
        for start in range(0, self.size, AT_ONCE):
            numbers = np.arange(start, min(self.size, start + AT_ONCE))
            yield start, np.stack(self.space.costs(self.rows(numbers)))

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
    for start, costs in of.costs():
        inside = np.ones(costs.shape[1], dtype=bool)
        for cost, (low, high) in zip(costs, window, strict=True):
            inside &= (cost >= low) & (cost <= high)
        found.append((start + np.flatnonzero(inside)).astype(np.int32))
    return np.concatenate(found)


def drawn_from(of: Listing, numbers: Ints) -> Callable[[random.Random, int], Ints]:
    """Draws of some of those listed, each equally likely, as rows of option positions."""

    def attempts(rng: random.Random, number: int) -> Ints:
        picked = [rng.randrange(len(numbers)) for _ in range(number)]
        return of.rows(numbers[picked].astype(np.int64))

    return attempts
