"""How many sub-networks there are, exactly, and draws from all of them."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from specc.space.choices import Option, Space, assignments_at
from specc.space.elimination import Ints, Step, eliminate


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
