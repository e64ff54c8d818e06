"""How many sub-networks there are, exactly, and draws from all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from specc.portable.choices import Option, Space, assignment_at
from specc.portable.sweep import Step, sweep


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
    table = counts(sweep(space, with_costs=False).steps)
    return sum(table[-1]) if table else 1


def draw_uniform(space: Space, number: int, rng: random.Random) -> list[dict[str, Option]]:
    """`number` independent draws, every canonical assignment equally likely: exact integers, so exactly uniform."""
    steps = sweep(space, with_costs=False).steps
    table = counts(steps)
    leading = [leads_to(step) for step in steps]
    drawn = []
    for _ in range(number):
        at = [0] * len(space.choices)
        row = 0
        for number_of_step in reversed(range(len(steps))):
            step, before = (
                steps[number_of_step],
                table[number_of_step - 1] if number_of_step else [1],
            )
            pick = rng.randrange(table[number_of_step][row])
            for pair in leading[number_of_step][row]:
                pick -= before[step.source[pair]]
                if pick < 0:
                    at[step.choice], row = int(step.option[pair]), int(step.source[pair])
                    break
        drawn.append(assignment_at(space, at))
    return drawn


def leads_to(step: Step) -> list[list[int]]:
    """For every row after a step, the pairs that lead there."""
    pairs: list[list[int]] = [[] for _ in range(step.rows)]
    for pair, target in enumerate(step.target.tolist()):
        pairs[target].append(pair)
    return pairs
