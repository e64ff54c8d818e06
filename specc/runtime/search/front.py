"""The Pareto front of sub-networks (TIPS' Algorithm 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any

from specc.runtime.train.interfaces import Assignment
from specc.space.strict_json import read_json


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluated sub-network: accuracy on the images that the search judges by, latency in seconds, memory in bytes
    of activations alive at once. `trained` is false where no step of the training runs it."""

    at: Mapping[str, Any]
    macs: int
    params: int
    accuracy: float = 0.0
    latency: float | None = None
    latency_p90: float | None = None
    test_accuracy: float | None = None
    memory: int | None = None
    trained: bool = True

    def cost(self, name: str) -> float:
        """macs, params, memory or latency. Raises ValueError where it was not measured."""
        value: float | None = getattr(self, name)
        if value is None:
            raise ValueError(f"the {name} of {dict(self.at)} was not measured")
        return value

    def within(self, budgets: Sequence[Mapping[str, Any]]) -> bool:
        """Whether it keeps every limit that can be judged already: a latency may still be unmeasured."""
        costs = [(getattr(self, budget["name"]), budget) for budget in budgets]
        return all(
            cost is None or budget.get("least", 0) <= cost <= budget.get("most", inf)
            for cost, budget in costs
        )

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


def key(assignment: Assignment) -> str:
    """A text that is the same for equal assignments."""
    return json.dumps(assignment, sort_keys=True)


def to_json(points: Sequence[Point], about: Mapping[str, Any]) -> str:
    """pareto.json: what the points are about, then the points by rising MACs."""
    rows = [
        asdict(point) | {"at": dict(point.at)} for point in sorted(points, key=lambda p: p.macs)
    ]
    return json.dumps({**about, "points": rows}, indent=2) + "\n"


def from_json(text: str | bytes) -> list[Point]:
    """The points of pareto.json, or of the constraints.json that prioritised sampling writes, in its order.

    Raises ValueError where it holds something else.
    """
    return [point_of(row) for row in rows_of(read_json(text))]


def rows_of(content: Any) -> list[Any]:
    """The rows of a front, as yet unchecked."""
    rows = content.get("points") or content.get("subnets") if isinstance(content, dict) else None
    if rows is not None and not isinstance(rows, list):
        raise ValueError("its points are no list")
    if not isinstance(content, dict):
        raise ValueError("it is no object with points")
    return rows or []


def point_of(row: Any) -> Point:
    """A point from a row. Raises ValueError where a number is missing, negative, or none."""
    if not isinstance(row, dict) or not isinstance(row.get("at"), dict):
        raise ValueError("a point names no sub-network")
    known: dict[str, Any] = {"at": row["at"], "trained": row.get("trained", True)}
    if not isinstance(known["trained"], bool):
        raise ValueError(f"the trained of a point is {known['trained']!r}")
    for name in (field.name for field in fields(Point) if field.name not in known):
        value: Any = row.get(name)
        counted = name in ("macs", "params")
        if value is None and not counted:
            continue
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (isinstance(value, float) and not counted)) or not 0 <= value < 2**63:
            raise ValueError(f"the {name} of a point is {value!r}")
        if "accuracy" in name and value > 1:
            raise ValueError(f"the {name} of a point is {value!r}")
        known[name] = value
    return Point(**known)


def within(points: Sequence[Point], budgets: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points that keep the limits. Exits where none does."""
    kept = [point for point in points if point.within(budgets)]
    if not kept:
        least = min(points, key=lambda point: point.macs)
        found = f"the smallest has {least.macs:,} MACs, {least.params:,} parameters"
        named = {str(budget["name"]) for budget in budgets}
        for name, unit, scale in (("latency", "ms", 1000), ("memory", "bytes", 1)):
            known = [value for point in points if (value := getattr(point, name)) is not None]
            if name in named and known:
                found += f"; the least {name} is {min(known) * scale:g} {unit}"
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
