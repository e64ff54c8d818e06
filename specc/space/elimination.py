"""Variable elimination over the choices of a space: the basis of exact samples, counts and ranges.

Choices are eliminated one after another. A row holds what the rest needs to know of those eliminated. Two assignments
whose choices add the same to every cost, whatever is still to come, and leave the same activities open, are in one row:
after a concatenation not each of its widths is told apart, but their sum. They have the same continuations, so sums
(or minima) over assignments become sums over rows.

Choices are taken up in an order that keeps frontiers small.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from specc.space.choices import Option, Space, assignments_at
from specc.space.states import Readers, State, TooEntangled, readers, terms_of

CANDIDATES = 24
"""How many choices are weighed at each step, in the order of the space, which is the network's."""
STARTS = 24
"""The most choices that orders begin at."""
WEIGHED = 1_000_000
"""About so many choices are weighed for all these orders together, in spaces of very many choices."""
EVERYWHERE = 6
"""In spaces of more choices than this, one that is read with more than half of them comes first."""
MOST = 600.0
"""Logarithms beyond this are all the same."""


def neighbours(scopes: Iterable[Sequence[int]], choices: int) -> list[set[int]]:
    """For every choice those that are read with it: `scopes` are the sets that are read together."""
    near: list[set[int]] = [set() for _ in range(choices)]
    for scope in scopes:
        for member in scope:
            near[member].update(scope)
    for member, others in enumerate(near):
        others.discard(member)
    return near


def elimination_order(counts: Sequence[int], near: list[set[int]]) -> list[int]:
    """Every choice once. Greedy: next come those that complete some choice and leave the least to remember.

    A choice must be remembered while one of its neighbours is still to come; what is remembered is measured
    in combinations of options. On a chain of stages with blocks hanging from them each block comes and goes
    at once, then the next stage's width; a choice that everything reads stays throughout.
    """
    sizes = [log(number) for number in counts]
    left = [len(others) for others in near]
    order: list[int] = []
    waiting = dict.fromkeys(range(len(near)))
    border: dict[int, None] = {}
    open_: dict[int, None] = {}

    def missing(choice: int) -> list[int]:
        return sorted(c for c in (choice, *near[choice]) if c in waiting)

    def burden(coming: list[int]) -> float:
        """By how much the frontier grows."""
        calls = Counter(other for choice in coming for other in near[choice])
        grown = sum(sizes[choice] for choice in coming if left[choice] > calls[choice])
        return grown - sum(sizes[c] for c, n in calls.items() if c in open_ and left[c] == n)

    def at_once(coming: list[int]) -> float:
        """How many combinations stand beside each other on the way there, at most."""
        return round(sum(sizes[choice] for choice in coming), 9)

    while waiting:
        candidates = [*sorted(open_)[:CANDIDATES], *sorted(border)[:CANDIDATES]]
        options = [coming for c in candidates if left[c] <= CANDIDATES and (coming := missing(c))]
        chosen = min(
            options,
            key=lambda coming: (round(burden(coming), 9), at_once(coming), coming),
            default=None,
        )
        for choice in chosen or [min(border or waiting)]:
            del waiting[choice]
            border.pop(choice, None)
            order.append(choice)
            if left[choice]:
                open_[choice] = None
            for other in near[choice]:
                left[other] -= 1
                if other in waiting:
                    border[other] = None
                elif not left[other]:
                    open_.pop(other, None)
    return order


def pairs_of(order: Sequence[int], options: Sequence[int], near: list[set[int]]) -> float:
    """How many pairs of a combination and an option an order meets, if no combinations are alike."""
    left = [len(others) for others in near]
    taken = [False] * len(near)
    beside, total = 0.0, 0.0
    for choice in order:
        total += exp(min(beside + log(options[choice]), MOST))
        taken[choice] = True
        beside += log(options[choice]) if left[choice] else 0.0
        for other in near[choice]:
            left[other] -= 1
            if taken[other] and not left[other]:
                beside -= log(options[other])
    return total


def frontier_orders(options: Sequence[int], near: list[set[int]]) -> list[list[int]]:
    """Orders that begin at different choices and go on with the one that leaves the least to remember.

    What most choices are read with (a resolution) comes first: it stays to the end anyway. A network whose end reads
    its beginning (a U-Net) is best begun in the middle.
    """
    number = len(options)
    everywhere = [c for c in range(number) if 2 * len(near[c]) > number > EVERYWHERE]
    others = [c for c in range(number) if c not in set(everywhere)]
    within = [near[c] - set(everywhere) for c in range(number)]
    most = max(2, min(STARTS, WEIGHED // max(1, number) ** 2))
    starts = others[:: -(-len(others) // most)] if others else []
    return [[*everywhere, *grown(options, within, start, others)] for start in starts]


def grown(
    options: Sequence[int], near: list[set[int]], start: int, members: Sequence[int]
) -> list[int]:
    """The order from one start."""
    left = {choice: len(near[choice]) for choice in members}
    waiting = dict.fromkeys(members)
    border: dict[int, None] = {}
    open_: set[int] = set()
    order: list[int] = []

    def growth(choice: int) -> float:
        """By what the combinations to remember are multiplied."""
        size = float(options[choice]) if left[choice] else 1.0
        for other in near[choice]:
            if other in open_ and left[other] == 1:
                size /= options[other]
        return size

    choice = start
    while True:
        del waiting[choice]
        border.pop(choice, None)
        order.append(choice)
        if left[choice]:
            open_.add(choice)
        for other in near[choice]:
            left[other] -= 1
            if other in waiting:
                border[other] = None
            elif not left[other]:
                open_.discard(other)
        if not waiting:
            return order
        choice = min(border or waiting, key=lambda one: (growth(one), options[one], one))


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


def counts(steps: Sequence[Step]) -> list[list[int]]:
    """For every step, how many assignments lead to each of its rows: exact, however large."""
    before, table = [1], []
    for step in steps:
        after = [0] * step.rows
        for source, target in zip(step.source.tolist(), step.target.tolist(), strict=True):
            after[target] += before[source]
        table.append(after)
        before = after
    return table


def size(space: Space) -> int:
    """The number of canonical assignments."""
    table = counts(eliminate(space, with_costs=False).steps)
    return sum(table[-1]) if table else 1


def draw_uniform(space: Space, number: int, rng: random.Random) -> list[dict[str, Option]]:
    """`number` independent draws, every canonical assignment equally likely: exact integers, so exactly uniform."""
    return assignments_at(space, uniform_rows(space, number, rng))


def uniform_rows(space: Space, number: int, rng: random.Random) -> Ints:
    """The same as rows of option positions, [number, choices]. Raises TooEntangled."""
    steps = eliminate(space, with_costs=False).steps
    table = counts(steps)
    befores = [[1], *table][: len(steps)]
    # From the last step back: for every row the pairs that lead there, as (ways up to it and before, source, option).
    plan = [
        (step.choice, led_to(step, before))
        for step, before in zip(reversed(steps), reversed(befores), strict=True)
    ]
    most = table[-1][0] if table else 1
    drawn = np.zeros((number, len(space.choices)), np.int64)
    for at in range(number):
        row, ways = 0, most
        for choice, leading in plan:
            ends, pairs = leading[row]
            row, option, ways = pairs[bisect_right(ends, rng.randrange(ways))]
            drawn[at, choice] = option
    return drawn


def led_to(step: Step, before: Sequence[int]) -> list[tuple[list[int], list[tuple[int, int, int]]]]:
    """For every row after a step, the pairs that lead there: how many ways the first of them have, the first two and
    so on; and of each (the row before, the option, the ways to that row)."""
    found: list[tuple[list[int], list[tuple[int, int, int]]]] = [([], []) for _ in range(step.rows)]
    triples = zip(step.source.tolist(), step.option.tolist(), step.target.tolist(), strict=True)
    for source, option, target in triples:
        ends, pairs = found[target]
        ends.append((ends[-1] if ends else 0) + before[source])
        pairs.append((source, option, before[source]))
    return found
