"""NSGA-II's selection (Deb et al., 2002): ranks of dominance, crowding distances, and the volume under a front.

Values are tuples of objectives, all of them to be made small.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import TypeAlias

Values: TypeAlias = tuple[float, ...]


def dominates(a: Values, b: Values) -> bool:
    """`a` is nowhere worse than `b`, and better somewhere."""
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def fronts(values: Sequence[Values]) -> list[list[int]]:
    """Fast non-dominated sorting: the indices of what nothing dominates, of what then nothing dominates, and so on.

    Equal values share a front.
    """
    beaten: list[list[int]] = [[] for _ in values]
    by = [0] * len(values)
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            if dominates(a, b):
                beaten[i].append(j)
                by[j] += 1
    found: list[list[int]] = []
    front = [i for i, count in enumerate(by) if count == 0]
    while front:
        found.append(front)
        for i in front:
            for j in beaten[i]:
                by[j] -= 1
        last = {j for i in front for j in beaten[i]}
        front = sorted(j for j in last if by[j] == 0)
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


def survivors(values: Sequence[Values], most: int) -> list[int]:
    """The indices of those that live on: front by front, of the last one the least crowded."""
    ranks = ranked(values)
    return sorted(sorted(range(len(values)), key=lambda i: ranks[i])[:most])


def tournament(ranks: Sequence[tuple[int, float]], rng: random.Random) -> int:
    """The better of two drawn at random."""
    first, second = rng.randrange(len(ranks)), rng.randrange(len(ranks))
    return min(first, second, key=lambda i: ranks[i])


def hypervolume(values: Sequence[Values], reference: Values) -> float:
    """The volume of what some value dominates, up to the reference point: slices along the first objective."""
    inside = sorted({v for v in values if all(x < r for x, r in zip(v, reference, strict=True))})
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - inside[0][0]
    edges = [value[0] for value in inside] + [reference[0]]
    volume = 0.0
    for count, (low, high) in enumerate(pairwise(edges), 1):
        if high > low:
            slices = [value[1:] for value in inside[:count]]
            volume += (high - low) * hypervolume(slices, reference[1:])
    return volume
