"""What a search evaluates next: generations of sub-networks, the same for the same seed and results.

Evolution selects as NSGA-II does (Deb et al., 2002): ranks of dominance, crowding distances, and the volume under a
front. Values are tuples of objectives, all of them to be made small.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from math import inf, prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elastic.run.journal import key
from elastic.search.constraints import constraints_of, windows_of
from elastic.search.front import Point
from elastic.space import choices
from elastic.space.elimination import TooEntangled, draw_uniform
from elastic.space.latency_table import LatencyTable
from elastic.space.line import ANY, Window
from elastic.space.window import NothingFound, draw_in_window, timed_space
from elastic.train.interfaces import Assignment, Space

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


IN_VAIN = 2000
"""So many draws in a row that are known already end the search."""
LISTED = 10**6
"""The most sub-networks that are looked at one by one."""
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, modulo 1, cover every part of 0..1 evenly, however many there are."""


def objectives(point: Point, costs: Sequence[str]) -> Values:
    """What is to be made small: minus the merit, and the costs."""
    return (-point.merit, *(point.cost(name) for name in costs))


def covered(front: Sequence[Point], largest: Point, costs: Sequence[str]) -> float | None:
    """How good a front is, whatever search it comes from: the share that it dominates of the box of all accuracies and
    of costs up to those of the largest sub-network. None where one of these was not measured, or where the metric has
    no best value.
    """
    if not largest.metric.share or any(getattr(largest, name) is None for name in costs):
        return None
    reference = tuple(largest.cost(name) for name in costs)
    volume = hypervolume([objectives(point, costs) for point in front], (0.0, *reference))
    return volume / prod(reference)


class Proposals:
    """Generations of assignments that `allowed` accepts, none of them twice. What came of one is told by `learn` before
    the next is asked for; what it proposes depends on nothing else, so a search can be repeated exactly.

    `strategy` is `[search.strategy]` of settings.toml. Where there are no more sub-networks than evaluations, all are
    looked at. `budgets` in MACs and parameters are kept by drawing within them; where `table` predicts latencies, those
    in latency too.
    """

    def __init__(
        self,
        space: Space,
        strategy: Mapping[str, Any],
        rng: random.Random,
        costs: Sequence[str] = ("macs",),
        budgets: Sequence[Mapping[str, Any]] = (),
        allowed: Callable[[Assignment], bool] = lambda assignment: True,
        table: LatencyTable | None = None,
    ) -> None:
        self.space = space
        self.drawable = timed_space(space.SPACE, table) if table else space.SPACE
        self.strategy = strategy
        self.rng = rng
        self.costs = costs
        self.constraints = constraints_of(budgets, timed=table is not None)
        self.allowed = allowed
        self.mutation = strategy["mutation"] or 1 / max(1, len(space.CHOICES))
        self.seen: set[str] = set()
        self.population: list[Point] = []
        exhaustive = strategy["name"] == "exhaustive"
        self.all = sub_networks(space, LISTED if exhaustive else strategy["evaluations"])
        if self.all is None and exhaustive:
            raise SystemExit(
                "more than a million sub-networks: too many to try all. Use --strategy evolution"
            )

    def __len__(self) -> int:
        """How many there will be, at most."""
        return int(self.strategy["evaluations"]) if self.all is None else len(self.all)

    def __iter__(self) -> Iterator[list[Assignment]]:
        if self.all is not None:
            return chunks(filter(self.allowed, self.all), self.strategy["population"])
        match self.strategy["name"]:
            case "pools":
                return self.from_pools()
            case "random":
                found = self.fresh(chain(self.ends(), self.drawn(len(self))))
                return chunks(islice(found, len(self)), self.strategy["population"])
        return self.evolved()

    def learn(self, points: Sequence[Point]) -> None:
        """What a generation has come to: its sub-networks that satisfy all constraints. The fittest so far live on."""
        points = [*self.population, *points]
        values = [objectives(point, self.costs) for point in points]
        self.population = [points[i] for i in survivors(values, self.strategy["population"])]

    def ends(self) -> list[Assignment]:
        return [self.space.largest(), self.space.smallest()]

    def fresh(self, candidates: Iterable[Assignment]) -> Iterator[Assignment]:
        """The candidates that are allowed and new, until too many in a row are not."""
        misses = 0
        for candidate in candidates:
            name = key(candidate)
            if name in self.seen or not self.allowed(candidate):
                misses += 1
                if misses == IN_VAIN:
                    return
                continue
            misses = 0
            self.seen.add(name)
            yield candidate

    def drawn(self, at_once: int, constraints: Window | None = None) -> Iterator[Assignment]:
        """Endless random sub-networks, uniform within the constraints; none where none satisfies them.

        Twice as many at once every time: where most are known already, it takes many to find the rest.
        """
        while True:
            found = random_ones(self.drawable, at_once, self.rng, constraints or self.constraints)
            if not found:
                return
            yield from found
            at_once = min(2 * at_once, IN_VAIN)

    def from_pools(self) -> Iterator[list[Assignment]]:
        """Windows of equal width along a cost; a generation has one sub-network of each, drawn uniformly there,
        while it has new ones."""
        left = len(self)
        at_once = max(8, left // self.strategy["windows"])
        windows = windows_of(self.drawable, self.costs, self.constraints, self.strategy["windows"])
        pools = [self.fresh(self.drawn(at_once, constraints)) for constraints in windows]
        while pools and left:
            nexts = [(pool, next(pool, None)) for pool in pools[:left]]
            pools = [pool for pool, at in nexts if at is not None] + pools[left:]
            generation = [at for _, at in nexts if at is not None]
            left -= len(generation)
            if generation:
                yield generation

    def evolved(self) -> Iterator[list[Assignment]]:
        """NSGA-II: a first population from the smallest to the largest, then children of the fittest.

        Uniform draws crowd around the middle of the costs, far from the front; they fill up what lacks.
        """
        size, left = int(self.strategy["population"]), len(self)
        strangers = self.fresh(chain(self.ends(), self.rungs(IN_VAIN // 2), self.drawn(size)))
        generation = [*islice(strangers, min(size, left))]
        while generation:
            left -= len(generation)
            yield generation
            count = min(size, left)
            generation = [*islice(self.fresh(self.children()), count)]
            if len(generation) < count:
                generation += islice(strangers, count - len(generation))

    def rungs(self, count: int) -> Iterator[Assignment]:
        """A ladder from small to large: for a share that runs evenly through 0..1, an option of each choice whose
        position is binomial with that share."""
        for number in range(1, count + 1):
            share = number * GOLDEN % 1
            rung = {
                name: options[sum(self.rng.random() < share for _ in options[1:])]
                for name, options in self.space.CHOICES.items()
            }
            yield self.space.canonical(rung)

    def children(self) -> Iterator[Assignment]:
        """Endless children: two parents, each the fitter of two; every choice from one of them, or drawn anew."""
        ranks = ranked([objectives(point, self.costs) for point in self.population])
        while ranks:
            mother, father = (self.population[tournament(ranks, self.rng)].at for _ in "ab")
            child = {name: self.inherited(name, mother, father) for name in self.space.CHOICES}
            yield self.space.canonical(child)

    def inherited(self, name: str, mother: Assignment, father: Assignment) -> Any:
        """One option: a parent's; mutated with the probability `mutation`; any, where neither has one."""
        given = [parent[name] for parent in (mother, father) if name in parent]
        if not given:
            return self.rng.choice(self.space.CHOICES[name])
        option = self.rng.choice(given)
        return self.mutated(name, option) if self.rng.random() < self.mutation else option

    def mutated(self, name: str, option: Any) -> Any:
        """Half of the time any option, else one at most a quarter of all of them away."""
        options = self.space.CHOICES[name]
        if self.rng.random() < 0.5:
            return self.rng.choice(options)
        here, reach = options.index(option), max(1, len(options) // 4)
        return self.rng.choice(options[max(0, here - reach) : here + reach + 1])


def sub_networks(space: Space, most: int) -> list[Assignment] | None:
    """Every sub-network once, or None where there are more than `most`."""
    size = space.SIZE
    return None if size is None or size > most else list(space.every())


def chunks(items: Iterable[Assignment], size: int) -> Iterator[list[Assignment]]:
    """The items in lists of so many; the last one may be shorter."""
    rest = iter(items)
    while chunk := [*islice(rest, size)]:
        yield chunk


def random_ones(
    space: choices.Space, count: int, rng: random.Random, constraints: Window
) -> Sequence[Assignment]:
    """Uniform samples within constraints; from the `independent` distribution where choices are too entangled."""
    if all(one == ANY for one in constraints):
        try:
            return draw_uniform(space, count, rng)
        except TooEntangled:
            return [choices.draw(space, rng) for _ in range(count)]
    try:
        return draw_in_window(space, count, rng, *constraints).assignments
    except NothingFound:
        return ()
