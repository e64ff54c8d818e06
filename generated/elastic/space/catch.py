"""Rejection sampling with a bounded number of tries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from elastic.space.aim import Effort, aim, draws, shares, start
from elastic.space.choices import Space, canonical_rows, draw, positions
from elastic.space.counting import uniform_rows
from elastic.space.elimination import Elimination, Ints, eliminate
from elastic.space.line import Goal, Window, line
from elastic.space.tilting import Attempts, tries_at

EFFORTS = (Effort(60_000, 1_500_000), Effort(300_000, 30_000_000))
"""What goes into preparing draws: some hundredths of a second, or a second for narrow windows and many draws."""
PATIENCE = 100_000
"""So many tries take longer than a greater effort."""
TRIES = 200
"""The most tries for each sub-network wanted, with every effort."""
LEAST_TRIES = 20_000
"""The most tries where few are wanted."""
SOME_TRIES = 4096
"""The most tries to find something to tell of."""
MANY_TRIES = 300_000
"""The most tries at the whole space."""
FEW = 20_000
"""More are drawn from the whole space together, which is faster and draws others by the same seed."""
AT_ONCE = 2048
"""The most tries that are made together."""


@dataclass(slots=True)
class Catch:
    """What was drawn so far within the window: option positions and costs, by tries; and how many tries that took."""

    rows: list[Ints] = field(default_factory=list)
    costs: list[Ints] = field(default_factory=list)
    found: int = 0
    tries: int = 0


def fished(
    catch: Catch,
    space: Space,
    number: int,
    attempts: Attempts,
    rng: random.Random,
    window: Window,
    most: int = 0,
) -> Iterator[float]:
    """Adds what tries find within the window, until there are `number` or there were too many tries; after each lot,
    how many more tries it should take."""
    tries, found = 0, 0
    expected = float(number - catch.found)
    while catch.found < number and tries < (most or max(TRIES * number, LEAST_TRIES)):
        lot = min(ceil(expected), AT_ONCE)
        hits = add(catch, space, attempts(rng, lot), window, lot)
        tries, found = tries + lot, found + hits
        expected = (number - catch.found) * (tries + 1) / (found + 1) + 4
        yield expected


def add(catch: Catch, space: Space, rows: Ints, window: Window, tries: int) -> int:
    """Adds those of some rows that are within the window, which took so many tries; says how many these are."""
    costs = true_costs(space, rows)
    inside = np.ones(len(rows), dtype=bool)
    for column, (low, high) in zip(costs.T, window, strict=True):
        inside &= (column >= low) & (column <= high)
    hits = int(inside.sum())
    if hits:
        catch.rows.append(rows[inside])
        catch.costs.append(costs[inside])
    catch.tries, catch.found = catch.tries + tries, catch.found + hits
    return hits


def everywhere(space: Space) -> Attempts:
    """Draws that are uniform over the whole space. Raises TooEntangled where it cannot be counted."""
    elimination = eliminate(space, with_costs=False)
    to = aim(elimination, [Goal(line(elimination, 0), 0, 0, 0)], EFFORTS[0])
    of = start(to, to.goal)

    def attempts(rng: random.Random, number: int) -> Ints:
        return draws(to, of, number, rng)

    return attempts


def by_chance(space: Space) -> Attempts:
    """Draws by the `independent` distribution."""

    def attempts(rng: random.Random, number: int) -> Ints:
        if number <= FEW:
            return positions(space, [draw(space, rng) for _ in range(number)])
        columns = [
            (shares(rng, number) * len(options)).astype(np.int64)
            for options in space.choices.values()
        ]
        return canonical_rows(space, np.stack(columns, axis=1))

    return attempts


def whole_space(space: Space, number: int, rng: random.Random) -> Ints:
    """Exactly `number` uniform draws, as rows of option positions. Raises TooEntangled where they cannot be counted."""
    if number <= FEW:
        return uniform_rows(space, number, rng)
    tries, found = everywhere(space), np.zeros((number, len(space.choices)), np.int64)
    done = 0
    while done < number:
        rows = tries(rng, min(number - done, FEW))
        found[done : done + len(rows)] = rows
        done += len(rows)
    return found


def found_in(elimination: Elimination, window: Window, number: int) -> list[tuple[int, ...]] | None:
    """The costs of some sub-networks in a window, always the same; None where it is known that there are none."""
    tries = tries_at(elimination, window, EFFORTS[0])
    if tries is None:
        return None
    catch, rng = Catch(), random.Random(0)
    for _ in fished(catch, elimination.space, number, tries.attempts, rng, window):
        if catch.found or catch.tries >= SOME_TRIES:
            break
    return [tuple(cost) for costs in catch.costs for cost in costs.tolist()]


def true_costs(space: Space, rows: Ints) -> Ints:
    """All costs of rows of positions, [n, kinds]."""
    assert space.costs is not None
    return np.stack(space.costs(rows), axis=1)
