"""The ways through the first steps of an elimination, one by one, as far as they are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elastic.space.elimination import Elimination, Ints, Step
from elastic.space.line import Goal

Floats = NDArray[np.float64]
Weights = Sequence[Floats]
"""For every step the factors by which its pairs make a sub-network more likely, [pairs]."""


@dataclass(frozen=True, slots=True, eq=False)
class Prefixes:
    """All ways through the first `taken` steps that can still end where they should, sorted by row and cost.

    rows, costs   [n], where each has come to, and at what cost of the first kind
    cumulated     [n + 1], the weights before each; its number where all weigh the same
    codes         rows * span + costs, to be searched in
    trail         for every step taken, of each way (the way before it, the option taken), both [n at that step]
    """

    taken: int
    rows: Ints
    costs: Ints
    cumulated: Floats
    codes: Ints
    span: int
    trail: tuple[tuple[Ints, Ints], ...]
    order: Ints

    def below(self, rows: Ints, costs: Ints) -> Ints:
        """How many ways come before those of a row that cost more than so much."""
        found: Ints = np.searchsorted(
            self.codes, rows * self.span + np.clip(costs, -1, self.span - 1), side="right"
        ).astype(np.int64)
        return found

    def between(self, rows: Ints, tops: Ints, width: int) -> tuple[Ints, Ints]:
        """The first of the ways in a row that cost `tops` at most and not more than `width` less; the one after the
        last of them."""
        return self.below(rows, tops - width - 1), self.below(rows, tops)

    def weight(self, rows: Ints, tops: Ints, width: int) -> Floats:
        """The weight of these ways."""
        begins, ends = self.between(rows, tops, width)
        found: Floats = self.cumulated[ends] - self.cumulated[begins]
        return found

    def fill(self, at: Ints, chosen: Ints, steps: Sequence[Step]) -> None:
        """Writes the options of chosen ways into rows of option positions, [n, choices]."""
        way = self.order[chosen]
        for place in reversed(range(self.taken)):
            before, option = self.trail[place]
            at[:, steps[place].choice] = option[way]
            way = before[way]

    def between_at(self, row: int, top: int, width: int) -> tuple[int, int]:
        """What `between` says, for one row and one top."""
        begin = row * self.span
        first, last = (
            int(self.codes.searchsorted(begin + min(max(cost, -1), self.span - 1), "right"))
            for cost in (top - width - 1, top)
        )
        return first, last

    def fill_one(self, at: list[int], chosen: int, steps: Sequence[Step]) -> None:
        """What `fill` does, for one way."""
        way = self.order[chosen]
        for place in reversed(range(self.taken)):
            before, option = self.trail[place]
            at[steps[place].choice] = int(option[way])
            way = before[way]


def listed(
    elimination: Elimination, goals: Sequence[Goal], weights: Weights | None, most: int
) -> Prefixes:
    """The ways through as many steps as there are, or as keep their number at `most`.

    The first goal is the one whose costs they are sorted by; ways that cannot meet one of the goals are left out.
    """
    rows = np.zeros(1, np.int64)
    costs = [np.zeros(1, np.int64) for _ in goals]
    weight = np.ones(1)
    trail: list[tuple[Ints, Ints]] = []
    for place, step in enumerate(elimination.steps):
        first = np.searchsorted(step.source, np.arange(len(goals[0].line.least[place]) + 1))
        fans = np.diff(first)[rows]
        if fans.sum() > 4 * most:
            break
        before = np.repeat(np.arange(len(rows)), fans)
        pair = np.arange(len(before)) + (first[rows] - np.cumsum(fans) + fans)[before]
        after = step.target[pair]
        keep = np.ones(len(pair), dtype=bool)
        reached = []
        for one, cost in zip(goals, costs, strict=True):
            reached.append(cost[before] + one.line.added[place][pair])
            keep &= one.keeps(place + 1, after, reached[-1])
        if keep.sum() > most:
            break
        before, pair = before[keep], pair[keep]
        rows, costs = after[keep], [cost[keep] for cost in reached]
        trail.append((before, step.option[pair]))
        if weights is not None:
            weight = weight[before] * weights[place][pair]
    span = 1 + int(goals[0].line.most[0][0])
    codes = rows * span + costs[0]
    order = np.argsort(codes, kind="stable").astype(np.int64)
    heavy = np.cumsum(weight[order] if weights is not None else np.ones(len(order)))
    return Prefixes(
        taken=len(trail),
        rows=rows[order],
        costs=costs[0][order],
        cumulated=np.concatenate([np.zeros(1), heavy]),
        codes=codes[order],
        span=span,
        trail=tuple(trail),
        order=order,
    )
