"""Choices that decide together what is present, and the ways in which T draws of them keep every operation once.

Everything is counted exactly: `ways(n)` is the number of sequences of n draws under which every operation is kept at
least once, by inclusion and exclusion. So draws under that condition need no luck, and their probabilities are known.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import reduce
from itertools import product
from math import prod
from typing import Final, TypeAlias

from specc.frozen import frozen
from specc.ir.choice import Choice
from specc.ir.expr import Expr, Option, evaluate

Point: TypeAlias = tuple[Option, ...]
"""One option for each choice of a component."""

MOST_POINTS: Final = 4096
MOST_TARGETS: Final = 12
"""Up to here a component is listed; beyond, draws are repeated until they fit."""
TRIES: Final = 10_000
QUICK_TRIES: Final = 64
DIGITS: Final = bytes.maketrans(b"01", b"\0\1")


class Uncovered(Exception):
    """So few draws can't keep every operation once. `least` is how many it takes, None where that is not known."""

    def __init__(self, least: int | None) -> None:
        super().__init__(least)
        self.least = least


class NotListed(Exception):
    """A component has too many points to be listed."""


@frozen
class Component:
    """Choices that some guards read together.

    guards   all guards that read only these choices
    targets  those of them that must hold in at least one draw
    """

    choices: tuple[Choice, ...]
    guards: tuple[Expr, ...]
    targets: tuple[Expr, ...]

    @property
    def size(self) -> int:
        return prod(len(choice.options) for choice in self.choices)

    @property
    def is_switch(self) -> bool:
        """Whether it is one skippable, whose operations are kept as a whole."""
        return len(self.choices) == len(self.targets) == 1 and tuple(self.choices[0].options) == (0, 1)

    def values(self, point: Point) -> dict[str, Option]:
        return {choice.name: option for choice, option in zip(self.choices, point, strict=True)}


@frozen
class Listed:
    """A component with all its points: `types` groups them by the set of targets, as bits, that hold there."""

    types: Mapping[int, Sequence[Point]]
    every: int
    known: dict[tuple[int, int], int] = field(default_factory=dict)

    def ways(self, missing: int, draws: int) -> int:
        """The number of sequences of draws in which each of the missing targets holds at least once."""
        found = self.known.get((missing, draws))
        if found is None:
            found, subset = 0, missing
            while True:
                avoiding = sum(len(points) for mask, points in self.types.items() if not mask & subset)
                found += (-1) ** subset.bit_count() * avoiding**draws
                if not subset:
                    break
                subset = (subset - 1) & missing
            self.known[missing, draws] = found
        return found


def listed(component: Component) -> Listed:
    """The points of a component. Raises NotListed where there are too many.

    A target that holds wherever another does needs no bit of its own.
    """
    if component.size > MOST_POINTS:
        raise NotListed
    points = list(product(*(tuple(choice.options) for choice in component.choices)))
    values = [component.values(point) for point in points]
    columns = {tuple(bool(evaluate(target, v)) for v in values) for target in component.targets}
    minimal = sorted(c for c in columns if not any(other != c and implies(other, c) for other in columns))
    if len(minimal) > MOST_TARGETS:
        raise NotListed
    types: dict[int, list[Point]] = {}
    for number, point in enumerate(points):
        types.setdefault(sum(column[number] << bit for bit, column in enumerate(minimal)), []).append(point)
    return Listed(types, (1 << len(minimal)) - 1)


def implies(a: Sequence[bool], b: Sequence[bool]) -> bool:
    return all(y for x, y in zip(a, b, strict=True) if x)


def draw_switch(draws: int, rng: random.Random) -> bytes:
    """Whether a skippable is kept, 0 or 1 for each draw: uniform among the sequences that keep it once."""
    bits = 0
    while not bits:
        bits = rng.getrandbits(draws)
    return format(bits, f"0{draws}b").encode("ascii").translate(DIGITS)


def draw_covering(component: Component, draws: int, rng: random.Random) -> list[Point]:
    """A sequence of draws, uniform among those under which every target holds once. Raises Uncovered."""
    tries = draw_until(component, draws, rng, QUICK_TRIES)
    if tries is not None:
        return tries
    try:
        table = listed(component)
    except NotListed:
        tries = draw_until(component, draws, rng, TRIES)
        if tries is None:
            raise Uncovered(None) from None
        return tries
    if table.ways(table.every, draws) == 0:
        raise Uncovered(next(n for n in range(draws, draws + MOST_TARGETS + 1) if table.ways(table.every, n)))
    return draw_exactly(table, draws, rng)


def draw_until(component: Component, draws: int, rng: random.Random, tries: int) -> list[Point] | None:
    """Draws repeated until every target holds once; None where that does not happen soon enough."""
    options = [tuple(choice.options) for choice in component.choices]
    known: dict[Point, frozenset[int]] = {}
    for _ in range(tries):
        points = [tuple(rng.choice(column) for column in options) for _ in range(draws)]
        for point in points:
            if point not in known:
                values = component.values(point)
                known[point] = frozenset(i for i, t in enumerate(component.targets) if evaluate(t, values))
        if len(reduce(frozenset.union, (known[point] for point in points))) == len(component.targets):
            return points
    return None


def draw_exactly(table: Listed, draws: int, rng: random.Random) -> list[Point]:
    """The same distribution as `draw_until`, draw by draw: each weighted by the ways in which the rest can cover."""
    found: list[Point] = []
    missing = table.every
    for rest in range(draws - 1, -1, -1):
        place = rng.randrange(table.ways(missing, rest + 1))
        for mask, points in table.types.items():
            weight = table.ways(missing & ~mask, rest)
            if place < weight * len(points):
                found.append(points[place // weight])
                missing &= ~mask
                break
            place -= weight * len(points)
    return found


def inclusion(component: Component, draws: int) -> dict[Expr, float]:
    """The probability that each guard holds in one of the draws, given that they cover. Raises Uncovered, NotListed."""
    if component.is_switch and set(component.guards) == set(component.targets):
        ways = 1 << draws
        return dict.fromkeys(component.guards, ways // 2 / (ways - 1))
    table = listed(component)
    total = table.ways(table.every, draws)
    if not total:
        raise Uncovered(next(n for n in range(draws, draws + MOST_TARGETS + 1) if table.ways(table.every, n)))
    kept = dict.fromkeys(component.guards, 0)
    for mask, points in table.types.items():
        weight = table.ways(table.every & ~mask, draws - 1)
        for point in points:
            values = component.values(point)
            for guard in component.guards:
                if evaluate(guard, values):
                    kept[guard] += weight
    return {guard: ways / total for guard, ways in kept.items()}
