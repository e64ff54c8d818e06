"""Variable elimination over the choices of a space: the basis of exact samples, counts and ranges.

Choices are eliminated one after another. A row holds what the rest needs to know of those eliminated. Two assignments
whose choices add the same to every cost, whatever is still to come, and leave the same activities open, are in one row:
after a concatenation not each of its widths is told apart, but their sum. They have the same continuations, so sums
(or minima) over assignments become sums over rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elastic.space.choices import Space
from elastic.space.order import elimination_order, frontier_orders, neighbours, pairs_of
from elastic.space.states import Readers, State, readers
from elastic.space.terms import TooEntangled, terms_of

__all__ = [
    "PAIR_LIMITS",
    "Elimination",
    "Step",
    "TooEntangled",
    "cost_ranges",
    "eliminate",
    "reach",
]

Ints = NDArray[np.int64]
PAIR_LIMITS = (30_000, 300_000, 3_000_000)
"""The most (row, option) pairs of all steps together: every order is tried with the first limit, then with the next.
Beyond the last a space is too entangled for an exact elimination."""
FEW_PAIRS = 10_000
"""So many take no time, and no better order is looked for."""
TRIED = 4
"""The orders that are tried, beside the network's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Taking up one choice: every pair of a row before and an option leads to a row after.

    source, option, target   [pairs], sorted by source
    added                    [pairs, kinds], what the option adds to every kind of cost: MACs and parameters
    rows                     the number of rows after
    """

    choice: int
    source: Ints
    option: Ints
    target: Ints
    added: Ints
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """All steps, and the cost of the assignment with every choice at its first option, from which they start."""

    space: Space
    steps: tuple[Step, ...]
    base: tuple[int, ...]


@lru_cache(maxsize=4)
def eliminate(space: Space, with_costs: bool) -> Elimination:
    """The steps through a space, which are kept. Raises TooEntangled where they have too many pairs in any order."""
    return eliminate_uncached(space, with_costs)


def eliminate_uncached(space: Space, with_costs: bool) -> Elimination:
    """The same, for a space that is asked for once."""
    costed = with_costs and space.costs is not None
    what = readers(space, terms_of(space).terms if costed else ())
    base = terms_of(space).base if costed else (0,) * len(space.kinds)
    sizes = [len(options) for options in space.choices.values()]
    near = neighbours(what.scopes, len(sizes))
    first = elimination_order(sizes, near)
    found = steps_in(first, space, what, PAIR_LIMITS[0])
    if found is not None and pairs_in(found) <= FEW_PAIRS:
        return Elimination(space, tuple(found), base)
    # What a network reads as a sum is not told apart, so that nobody knows before trying how many pairs there will be.
    orders = sorted(
        [first, *frontier_orders(sizes, near)], key=lambda order: pairs_of(order, sizes, near)
    )
    for limit in PAIR_LIMITS:
        for order in (*orders[:TRIED], list(range(len(sizes)))):
            better = limit if found is None else pairs_in(found) // 2
            found = steps_in(order, space, what, better) or found
        if found is not None:
            return Elimination(space, tuple(found), base)
    raise TooEntangled


def pairs_in(steps: Sequence[Step]) -> int:
    return sum(len(step.source) for step in steps)


def steps_in(order: Sequence[int], space: Space, what: Readers, limit: int) -> list[Step] | None:
    """The steps in one order; None where they have more pairs than `limit`."""
    state = State(what, [len(options) for options in space.choices.values()], len(space.kinds))
    steps, pairs = [], 0
    for choice in order:
        pairs += state.rows * state.sizes[choice]
        if pairs > limit:
            return None
        source, option, added = state.take_up(choice)
        target = state.merge()
        steps.append(Step(choice, source, option, target, added, state.rows))
    return steps


def reach(steps: Sequence[Step], added: Sequence[Ints], lowest: bool) -> list[Ints]:
    """The least (or greatest) cost that the rest can still add, for every row before each step and after the last.

    `added` holds what the pairs of every step add, [pairs]. Rows that lead nowhere can add far too much (or little).
    """
    best = np.zeros(steps[-1].rows if steps else 1, np.int64)
    table = [best]
    gather = np.minimum if lowest else np.maximum
    nowhere = (1 if lowest else -1) * (np.iinfo(np.int64).max // 4)
    for place in reversed(range(len(steps))):
        step = steps[place]
        # Pairs are sorted by their source.
        firsts = np.flatnonzero(np.diff(step.source, prepend=-1))
        rows = steps[place - 1].rows if place else 1
        through = best[step.target] + added[place]
        best = np.full(rows, nowhere, np.int64)
        best[step.source[firsts]] = gather.reduceat(through, firsts)
        best = np.clip(best, -abs(nowhere), abs(nowhere))
        table.append(best)
    return table[::-1]


def cost_ranges(space: Space) -> tuple[tuple[int, int], ...]:
    """(least, most) of every cost over all sub-networks, exactly: of MACs and of parameters."""
    return ranges_in(eliminate(space, with_costs=True))


def ranges_in(elimination: Elimination) -> tuple[tuple[int, int], ...]:
    """The same, of an elimination with costs."""
    ranges = []
    for kind, base in enumerate(elimination.base):
        added = [step.added[:, kind] for step in elimination.steps]
        low, high = (int(reach(elimination.steps, added, lowest)[0][0]) for lowest in (True, False))
        ranges.append((base + low, base + high))
    return tuple(ranges)
