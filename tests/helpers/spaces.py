"""Spaces made at random, whose choices read one another: what draws are held against by brute force."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from specc.space.choices import Option, Space, Term, every, positions

Ints = NDArray[np.int64]


def random_space(seed: int, most: int = 6) -> Space:
    """Up to `most` choices; the costs are sums of tables of one to three choices each, half of them of products, as
    convolutions are; some choices matter only at some options of earlier ones."""
    rng = random.Random(seed)
    names = [f"c{n}" for n in range(rng.randint(2, most))]
    choices = {name: tuple(range(rng.randint(1, 4))) for name in names}
    active: dict[str, Sequence[Term]] = {}
    for at, name in enumerate(names[1:], 1):
        if rng.random() < 0.4:
            active[name] = [random_term(rng, choices, names[:at]) for _ in range(rng.randint(1, 2))]
    scopes = [tuple(sorted(rng.sample(names, min(len(names), rng.randint(1, 3))))) for _ in range(rng.randint(2, 7))]
    tables = [random_table(rng, [len(choices[name]) for name in scope]) for scope in scopes]
    columns = [[names.index(name) for name in scope] for scope in scopes]

    def costs(rows: Ints) -> tuple[Ints, Ints]:
        totals = np.zeros((2, len(rows)), np.int64)
        for some, table in zip(columns, tables, strict=True):
            totals += np.stack([one[tuple(rows[:, at] for at in some)] for one in table])
        return totals[0], totals[1]

    return Space(choices, active, [scope for scope in scopes if len(scope) > 1], costs)


def random_term(rng: random.Random, choices: dict[str, tuple[int, ...]], earlier: Sequence[str]) -> Term:
    some = rng.sample(earlier, min(len(earlier), rng.randint(1, 2)))
    return {name: tuple(sorted(rng.sample(choices[name], rng.randint(1, len(choices[name]))))) for name in some}


def random_table(rng: random.Random, sizes: Sequence[int]) -> Ints:
    """MACs and parameters for all combinations of options, [2, options...]."""
    table = np.zeros((2, *sizes), np.int64)
    widths = [[rng.randint(1, 9) for _ in range(size)] for size in sizes]
    unit = rng.choice((1, 8, 784))
    for at in product(*map(range, sizes)):
        value = int(np.prod([widths[axis][place] for axis, place in enumerate(at)]))
        table[(0, *at)] = unit * (value if unit > 1 else rng.randint(-5, 50))
        table[(1, *at)] = value
    return table


def everything(space: Space) -> tuple[Ints, Ints]:
    """Option positions and costs of all sub-networks, by brute force."""
    rows = positions(space, list(every(space)))
    assert space.costs is not None
    return rows, np.stack(space.costs(rows), axis=1)


def named(space: Space, row: Sequence[int]) -> dict[str, Option]:
    return {name: options[at] for (name, options), at in zip(space.choices.items(), row, strict=True)}
