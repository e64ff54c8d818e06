"""One pass over the choices of a space that remembers only a frontier: counting, uniform draws, ranges of costs.

The sweep takes up one choice after another. What the rest needs to know of those taken up is a row: the positions of
choices that share a part of the cost with one still to come, and how far the terms of unfinished activities hold.
Two assignments in the same row have the same continuations, so sums (or minima) over assignments become sums over rows.

A cost needs no table of its parts: with the choices to come at their first option, taking up choice v adds
f(frontier, v, first...) - f(frontier, first...), which no choice that has left the frontier can influence.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .choices import Option, Space, assignment_at
from .order import elimination_order, neighbours

Ints = NDArray[np.int64]
PAIR_LIMIT = 1_000_000
"""The most (row, option) pairs of one step: beyond that a space is too entangled for an exact sweep."""
ASKED_TOGETHER = 8192
"""About as many assignments are costed at once, over the steps that ask."""


class TooEntangled(Exception):
    """A frontier would grow beyond its limit."""


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
class Sweep:
    """All steps, and the cost of the assignment with every choice at its first option, from which they start."""

    space: Space
    steps: tuple[Step, ...]
    base: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Constraint:
    """That a choice is active or stands at 0: one of `terms` holds, each a table of allowed positions by choice."""

    terms: tuple[dict[int, NDArray[np.bool_]], ...]
    last: int


@lru_cache(maxsize=4)
def sweep(space: Space, with_costs: bool) -> Sweep:
    """The steps through a space, which are kept. Raises TooEntangled where a frontier outgrows PAIR_LIMIT."""
    near = neighbours(space, with_costs)
    order = elimination_order(space, near)
    when = {choice: step for step, choice in enumerate(order)}
    leaves = [max((when[other] for other in others), default=-1) for others in near]
    constraints = constraints_of(space, when)
    reading: dict[int, list[tuple[int, Constraint]]] = {}
    for at, constraint in enumerate(constraints):
        for reader in sorted({c for term in constraint.terms for c in term}):
            reading.setdefault(reader, []).append((at, constraint))
    sizes = [len(options) for options in space.choices.values()]
    costed = with_costs and space.costs is not None
    columns: dict[tuple[int, ...], Ints] = {}
    rows = 1
    moves: list[Move] = []
    questions: list[Question] = []
    for now, choice in enumerate(order):
        if rows * sizes[choice] > PAIR_LIMIT:
            raise TooEntangled
        source = np.repeat(np.arange(rows), sizes[choice])
        option = np.tile(np.arange(sizes[choice]), rows)
        columns = {key: column[source] for key, column in columns.items()}
        columns[(choice,)] = option
        keep = advance(columns, reading.get(choice, ()), choice, now, when, option)
        source, option = source[keep], option[keep]
        columns = {key: column[keep] for key, column in columns.items()}
        if costed:
            questions.append(question(columns, choice, near[choice]))
        columns = {
            key: column
            for key, column in columns.items()
            if len(key) > 1 or (costed and leaves[key[0]] > now)
        }
        target, firsts = distinct(list(columns.values()), len(source))
        rows = len(firsts)
        columns = {key: column[firsts] for key, column in columns.items()}
        moves.append((choice, source, option, target, rows))
    if space.costs is None or not costed:
        none = [np.zeros((len(move[1]), len(space.kinds)), np.int64) for move in moves]
        return Sweep(space, tuple(map(step_of, moves, none)), (0,) * len(space.kinds))
    base = tuple(int(cost[0]) for cost in space.costs(np.zeros((1, len(sizes)), np.int64)))
    return Sweep(space, tuple(map(step_of, moves, added_costs(space, questions))), base)


Move = tuple[int, Ints, Ints, Ints, int]


def step_of(move: Move, added: Ints) -> Step:
    choice, source, option, target, rows = move
    return Step(choice, source, option, target, added, rows)


def constraints_of(space: Space, when: dict[int, int]) -> list[Constraint]:
    """One constraint for each choice that does not always matter: standing at its first option is one more term."""
    names = list(space.choices)
    index = {name: at for at, name in enumerate(names)}
    found = []
    for name, terms in space.active.items():
        full = [*terms, {name: space.choices[name][:1]}]
        tables = tuple(
            {
                index[p]: np.array([o in allowed for o in space.choices[p]])
                for p, allowed in term.items()
            }
            for term in full
        )
        found.append(Constraint(tables, max(when[p] for table in tables for p in table)))
    return found


def advance(
    columns: dict[tuple[int, ...], Ints],
    constraints: Sequence[tuple[int, Constraint]],
    choice: int,
    now: int,
    when: dict[int, int],
    option: Ints,
) -> NDArray[np.bool_]:
    """Brings the states of the constraints that read `choice` up to date, in place; returns the pairs that may stay.

    Column (c, -1) says that constraint c holds already, column (c, t) that its term t holds as far as is known.
    """
    keep = np.ones(len(option), dtype=bool)
    for at, constraint in constraints:
        done = columns.get((at, -1), np.zeros(len(option), np.int64))
        for number, term in enumerate(constraint.terms):
            if choice in term:
                alive = (
                    columns.pop((at, number), np.ones(len(option), np.int64)) * term[choice][option]
                )
                if max(when[c] for c in term) == now:
                    done = done | alive
                else:
                    columns[(at, number)] = alive
        for key in columns:
            if len(key) == 2 and key[0] == at and key[1] >= 0:
                columns[key] = columns[key] * (1 - done)
        columns.pop((at, -1), None)
        if constraint.last == now:
            keep &= done.astype(bool)
        elif done.any():
            columns[(at, -1)] = done
    return keep


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What taking up a choice adds to the costs: for every row of `values`, the positions of the choices `known`.

    `back` says which row every pair asks for.
    """

    choice: int
    known: list[int]
    values: Ints
    back: Ints


def question(columns: dict[tuple[int, ...], Ints], choice: int, near: set[int]) -> Question:
    """The combinations of positions that the cost of an option depends on."""
    known = [key[0] for key in columns if len(key) == 1 and (key[0] in near or key[0] == choice)]
    back, firsts = distinct([columns[(c,)] for c in known], len(columns[(choice,)]))
    return Question(choice, known, np.stack([columns[(c,)][firsts] for c in known], axis=1), back)


def added_costs(space: Space, questions: Sequence[Question]) -> Iterator[Ints]:
    """For every question [pairs, kinds]: what is added to every cost, everything to come at its first option."""
    assert space.costs is not None
    start = 0
    while start < len(questions):
        end, total = start, 0
        while end < len(questions) and (end == start or total < ASKED_TOGETHER):
            total += len(questions[end].values)
            end += 1
        at = np.zeros((total, len(space.choices)), np.int64)
        parts = [slice(0, 0)]
        for asked in questions[start:end]:
            parts.append(slice(parts[-1].stop, parts[-1].stop + len(asked.values)))
            at[parts[-1], asked.known] = asked.values
        with_it = np.stack(space.costs(at), axis=1)
        for asked, part in zip(questions[start:end], parts[1:], strict=True):
            at[part, asked.choice] = 0
        added = with_it - np.stack(space.costs(at), axis=1)
        for asked, part in zip(questions[start:end], parts[1:], strict=True):
            yield added[part][asked.back]
        start = end


def distinct(columns: list[Ints], length: int) -> tuple[Ints, Ints]:
    """Numbers equal rows of several columns alike: (the number of each row, one row's index for each number)."""
    code = np.zeros(length, np.int64)
    for column in columns:
        code = code * (int(column.max(initial=0)) + 1) + column
        if len(columns) > 1:
            code = np.unique(code, return_inverse=True)[1].reshape(-1)
    _, firsts, back = np.unique(code, return_index=True, return_inverse=True)
    return back.reshape(-1), firsts


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
    swept = sweep(space, with_costs=True)
    ranges = []
    for kind, base in enumerate(swept.base):
        added = [step.added[:, kind] for step in swept.steps]
        low, high = (int(reach(swept.steps, added, lowest)[0][0]) for lowest in (True, False))
        ranges.append((base + low, base + high))
    return tuple(ranges)
