"""NSGA-II's selection (Deb et al., 2002): ranks of dominance, crowding distances, and the volume under a front.

Values are tuples of objectives, all of them to be made small.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Table: TypeAlias = NDArray[np.float64]
Values: TypeAlias = tuple[float, ...]


def fronts(values: Sequence[Values]) -> list[list[int]]:
    """Non-dominated sorting: the indices of what nothing dominates, of what then nothing dominates, and so on.

    One dominates another where it is nowhere worse, and better somewhere. Equal values share a front.
    """
    no_worse = np.ones((len(values), len(values)), dtype=np.bool_)
    for column in np.array(values, dtype=np.float64).T:
        no_worse &= column[:, None] <= column[None, :]
    dominates = no_worse & ~no_worse.T
    by = dominates.sum(axis=0)
    found: list[list[int]] = []
    while (front := np.flatnonzero(by == 0)).size:
        found.append(front.tolist())
        by -= dominates[front].sum(axis=0)
        by[front] = -1  # has its place
    return found


def crowding(values: Sequence[Values]) -> list[float]:
    """The crowding distances within one front: how far apart the neighbours are in each objective, in shares of its
    range, added up. The ends of an objective are infinitely far from all others."""
    distances = [0.0] * len(values)
    for objective in range(len(values[0]) if values else 0):
        order = sorted(range(len(values)), key=lambda i: values[i][objective])
        span = values[order[-1]][objective] - values[order[0]][objective]
        distances[order[0]] = distances[order[-1]] = inf
        if span > 0:
            for before, here, after in zip(order, order[1:], order[2:], strict=False):
                gap = values[after][objective] - values[before][objective]
                distances[here] += gap / span
    return distances


def ranked(values: Sequence[Values]) -> list[tuple[int, float]]:
    """For each its (front, minus crowding distance): the smaller is the better."""
    found: list[tuple[int, float]] = [(0, 0.0)] * len(values)
    for rank, front in enumerate(fronts(values)):
        distances = crowding([values[i] for i in front])
        for i, distance in zip(front, distances, strict=True):
            found[i] = (rank, -distance)
    return found


def survivors(values: Sequence[Values], size: int) -> list[int]:
    """The indices of those that live on: front by front, of the last one the least crowded, up to `size`.

    Of the first front all do, however many: evaluations cost more than population slots. What
    repeats a value comes last in its front, and does not count there.
    """
    ranks = ranked(values)
    first = {value: i for i, value in reversed([*enumerate(values)])}
    order = sorted(
        range(len(values)), key=lambda i: (ranks[i][0], first[values[i]] != i, ranks[i][1])
    )
    undominated = sum(ranks[i][0] == 0 for i in first.values())
    return sorted(order[: max(size, undominated)])


def tournament(ranks: Sequence[tuple[int, float]], rng: random.Random) -> int:
    """The better of two drawn at random."""
    first, second = rng.randrange(len(ranks)), rng.randrange(len(ranks))
    return min(first, second, key=lambda i: ranks[i])


def hypervolume(values: Sequence[Values], reference: Values) -> float:
    """The volume of what some value dominates, up to the reference point."""
    inside = {v for v in values if all(x < r for x, r in zip(v, reference, strict=True))}
    table = np.array([*inside], dtype=np.float64).reshape(-1, len(reference))
    return volume(table, np.array(reference, dtype=np.float64))


def volume(table: Table, reference: Table) -> float:
    """Of rows [n, objectives] below the reference: slices along the first objective, the last two by one sweep."""
    table = table[np.argsort(table[:, 0])]
    thick = np.diff(table[:, 0], append=reference[0])
    if len(reference) == 1:
        return float(thick.sum())
    if len(reference) == 2:
        return float((thick * (reference[1] - np.minimum.accumulate(table[:, 1]))).sum())
    slices = ((table[:count, 1:], wide) for count, wide in enumerate(thick, 1) if wide > 0)
    return float(sum(wide * volume(rest, reference[1:]) for rest, wide in slices))
