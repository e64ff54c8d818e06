"""Distances between the tokens of an area and regions of shifted windows, as networks keep them in constant tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import copysign, log2

from specc.ops.attention.places import Pair


@cache
def distances_between(area: Pair, class_token: bool) -> tuple[int, ...]:
    """Which of all distances is that from one place to another, for every pair of places, row by row."""
    height, width = area
    places = [(row, column) for row in range(height) for column in range(width)]
    count = (2 * height - 1) * (2 * width - 1)
    found: list[int] = []
    if class_token:
        found += [count + 2, *[count] * len(places)]
    for row, column in places:
        if class_token:
            found.append(count + 1)
        start = (row + height - 1) * (2 * width - 1) + column + width - 1
        found += [start - other * (2 * width - 1) - across for other, across in places]
    return tuple(found)


def log_distances(area: Pair) -> list[float]:
    """The logarithms of all distances down and to the right, of which the longest counts 8, pair by pair."""
    sides = []
    for size in area:
        steps = [8 * step / max(size - 1, 1) for step in range(1 - size, size)]
        sides.append([copysign(log2(abs(step) + 1) / 3, step) for step in steps])
    return [number for down in sides[0] for right in sides[1] for number in (down, right)]


def apart(space: Pair, window: Pair, shift: Pair) -> list[bool]:
    """Who does not see whom in windows that were moved cyclically: for each window every pair of its tokens."""
    sides = [
        [(place >= size - part) + (place >= size - by) if by else 0 for place in range(size)]
        for size, part, by in zip(space, window, shift, strict=True)
    ]
    found: list[bool] = []
    for top in range(0, space[0], window[0]):
        for left in range(0, space[1], window[1]):
            rows, columns = sides[0][top : top + window[0]], sides[1][left : left + window[1]]
            regions = [(row, column) for row in rows for column in columns]
            found += [one != other for one in regions for other in regions]
    return found


def is_mask(numbers: Sequence[float], space: Pair, window: Pair, shift: Pair) -> bool:
    """Whether numbers that are added to the scores of each window make tokens of different regions unseen, and change
    nothing else."""
    wanted = apart(space, window, shift)
    return len(wanted) == len(numbers) and all(
        (number <= UNSEEN) if hidden else number == 0 for number, hidden in zip(numbers, wanted, strict=True)
    )


UNSEEN = -50.0
"""What makes a token unseen: e to this power is nothing beside other scores."""
