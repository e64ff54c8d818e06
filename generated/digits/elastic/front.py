"""The Pareto front of sub-networks (TIPS' Algorithm 1), and the proposals that search for it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .interfaces import Assignment, Space


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluated sub-network: accuracy on the images that the search judges by, latency in seconds."""

    at: Mapping[str, Any]
    macs: int
    params: int
    accuracy: float = 0.0
    latency: float | None = None
    latency_p90: float | None = None
    test_accuracy: float | None = None

    def cost(self, name: str) -> float:
        """macs, params or latency. Raises ValueError where the latency was not measured."""
        value: float | None = getattr(self, name)
        if value is None:
            raise ValueError(f"the {name} of {dict(self.at)} was not measured")
        return value

    def within(self, budgets: Sequence[Mapping[str, Any]]) -> bool:
        """Whether it keeps every limit that can be judged already: a latency may still be unmeasured."""
        costs = ((getattr(self, budget["name"]), float(budget["most"])) for budget in budgets)
        return all(cost is None or cost <= most for cost, most in costs)

    def with_(self, **changes: Any) -> Point:
        return replace(self, **changes)


def dominates(a: Point, b: Point, costs: Sequence[str]) -> bool:
    """Weak dominance: `a` is no worse than `b` in accuracy and every cost, and better in one of them."""
    no_worse = a.accuracy >= b.accuracy and all(a.cost(name) <= b.cost(name) for name in costs)
    better = a.accuracy > b.accuracy or any(a.cost(name) < b.cost(name) for name in costs)
    return no_worse and better


def admit(front: list[Point], point: Point, costs: Sequence[str]) -> list[Point]:
    """One round of Algorithm 1: the front after `point` was seen.

    A point that another dominates, or equals in every objective, stays out; those it dominates go.
    """
    for other in front:
        same = other.accuracy == point.accuracy and all(
            other.cost(c) == point.cost(c) for c in costs
        )
        if same or dominates(other, point, costs):
            return front
    return [other for other in front if not dominates(point, other, costs)] + [point]


def sub_networks(space: Space, most: int) -> list[Assignment] | None:
    """Every sub-network once, or None where there are more than `most`."""
    size = space.SIZE
    return None if size is None or size > most else list(space.every())


def key(assignment: Assignment) -> str:
    """A text that is the same for equal assignments."""
    return json.dumps(assignment, sort_keys=True)


class Proposals:
    """Assignments to evaluate next: all of a small space, else random ones and then children of the front.

    Each is proposed once, and only if `allowed`. `strategy` is `[search.strategy]` of settings.toml.
    """

    def __init__(
        self,
        space: Space,
        strategy: Mapping[str, Any],
        rng: random.Random,
        allowed: Callable[[Assignment], bool] = lambda assignment: True,
    ) -> None:
        self.space = space
        self.strategy = strategy
        self.rng = rng
        self.allowed = allowed
        self.front: Sequence[Point] = ()
        self.all = sub_networks(
            space, 10**6 if strategy["name"] == "exhaustive" else strategy["evaluations"]
        )
        if self.all is None and strategy["name"] == "exhaustive":
            raise SystemExit(
                "more than a million sub-networks: too many to try all. Use --strategy evolution"
            )

    def __len__(self) -> int:
        """How many there will be, at most."""
        return int(self.strategy["evaluations"]) if self.all is None else len(self.all)

    def __iter__(self) -> Iterator[Assignment]:
        if self.all is not None:
            yield from filter(self.allowed, self.all)
            return
        seen: set[str] = set()
        misses = 0
        first = [self.space.largest(), self.space.smallest()]
        while len(seen) < len(self) and misses < 2000:
            candidate = first.pop() if first else self.propose(len(seen))
            if key(candidate) in seen or not self.allowed(candidate):
                misses += 1
                continue
            misses = 0
            seen.add(key(candidate))
            yield candidate

    def propose(self, evaluated: int) -> Assignment:
        """Random ones fill the first population; later ones are half children of two, half mutants of one."""
        evolving = self.strategy["name"] == "evolution" and evaluated >= self.strategy["population"]
        if not evolving or not self.front:
            return self.space.draw(self.rng)
        mother = self.rng.choice(self.front).at
        father = self.rng.choice(self.front).at if self.rng.random() < 0.5 else mother
        child = {name: self.inherit(name, mother, father) for name in self.space.CHOICES}
        return self.space.canonical(child)

    def inherit(self, name: str, mother: Assignment, father: Assignment) -> Any:
        """One option: a parent's; drawn anew with the probability `mutation`, or where neither has one."""
        given = [parent[name] for parent in (mother, father) if name in parent]
        if not given or self.rng.random() < self.strategy["mutation"]:
            return self.rng.choice(self.space.CHOICES[name])
        return self.rng.choice(given)


def to_json(points: Sequence[Point], about: Mapping[str, Any]) -> str:
    """pareto.json: what the points are about, then the points by rising MACs."""
    rows = [
        asdict(point) | {"at": dict(point.at)} for point in sorted(points, key=lambda p: p.macs)
    ]
    return json.dumps({**about, "points": rows}, indent=2) + "\n"


def from_json(text: str) -> list[Point]:
    """The points of pareto.json."""
    return [Point(**row) for row in json.loads(text)["points"]]


def within(points: Sequence[Point], budgets: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points that keep the limits. Exits where none does."""
    kept = [point for point in points if point.within(budgets)]
    if not kept:
        least = min(points, key=lambda point: point.macs)
        found = f"the smallest has {least.macs:,} MACs, {least.params:,} parameters"
        raise SystemExit(f"no sub-network keeps the limits; {found}")
    return kept


def best(points: Sequence[Point]) -> Point:
    """The most accurate point, the cheapest of equals."""
    return max(points, key=lambda point: (point.accuracy, -point.macs))


def thrifty(points: Sequence[Point], loss: float = 0.01) -> Point:
    """The cheapest point that is at most `loss` less accurate than the best."""
    enough = best(points).accuracy - loss
    return min(
        (point for point in points if point.accuracy >= enough), key=lambda p: (p.macs, -p.accuracy)
    )
