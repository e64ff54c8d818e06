"""The Pareto front of sub-networks (TIPS' Algorithm 1), by whatever metric they are scored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from math import inf
from typing import Any, Final

from elastic.files.documents import (
    fields,
    flag,
    listed,
    mapping,
    maybe,
    number,
    one_of,
    option,
    read_json,
    text,
    whole,
)
from elastic.train.scores import ACCURACY, METRIC, Metric, measured_by, metric_of


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluated sub-network: the value of `metric` on the validation images of the search, latency in seconds,
    memory in bytes of peak activation memory. `trained` is false where no step of the training runs it."""

    at: Mapping[str, Any]
    macs: int
    params: int
    value: float = 0.0
    latency: float | None = None
    latency_p90: float | None = None
    test_value: float | None = None
    memory: int | None = None
    trained: bool = True
    metric: Metric = ACCURACY

    @property
    def merit(self) -> float:
        """The value, or minus it where a lower one is better: what a search makes as large as it can."""
        return self.metric.merit(self.value)

    def cost(self, name: str) -> float:
        """macs, params, memory or latency. Raises ValueError where it was not measured."""
        value: float | None = getattr(self, name)
        if value is None:
            raise ValueError(f"the {name} of {dict(self.at)} was not measured")
        return value

    def within(self, budgets: Sequence[Mapping[str, Any]]) -> bool:
        """Whether it satisfies every constraint that can be checked already: a latency may still be unmeasured."""
        costs = [(getattr(self, budget["name"]), budget) for budget in budgets]
        return all(
            cost is None or budget.get("least", 0) <= cost <= budget.get("most", inf)
            for cost, budget in costs
        )

    def with_(self, **changes: Any) -> Point:
        return replace(self, **changes)


def dominates(a: Point, b: Point, costs: Sequence[str]) -> bool:
    """Weak dominance: `a` is no worse than `b` in the metric and every cost, and better in one of them."""
    no_worse = a.merit >= b.merit and all(a.cost(name) <= b.cost(name) for name in costs)
    better = a.merit > b.merit or any(a.cost(name) < b.cost(name) for name in costs)
    return no_worse and better


def admit(front: list[Point], point: Point, costs: Sequence[str]) -> list[Point]:
    """One round of Algorithm 1: the front after `point` was seen.

    A point that another dominates, or equals in every objective, stays out; those it dominates go.
    """
    for other in front:
        same = other.value == point.value and all(other.cost(c) == point.cost(c) for c in costs)
        if same or dominates(other, point, costs):
            return front
    return [other for other in front if not dominates(point, other, costs)] + [point]


COST: Final = one_of(("macs", "params", "latency", "memory"))
COUNT: Final = whole(below=2**63)
MEASURED: Final = maybe(number(0, 2.0**62))
SHARE: Final = number(0, 1)
POINT: Final = fields(
    {"at": mapping(option), "macs": COUNT, "params": COUNT},
    {
        "accuracy": maybe(SHARE),
        "value": maybe(number()),
        "latency": MEASURED,
        "latency_p90": MEASURED,
        "test_accuracy": maybe(SHARE),
        "test_value": maybe(number()),
        "memory": MEASURED,
        "trained": flag,
    },
)
FRONT: Final = fields(
    {"points": listed(POINT)},
    {
        "format": one_of(("specc front 1",)),
        "network": text,
        "fingerprint": text,
        "weights": text,
        "dataset": text,
        "cost": COST,
        "costs": listed(COST),
        "metric": maybe(METRIC),
        "hypervolume": maybe(number()),
    },
)
"""pareto.json."""
KEPT: Final = fields(
    {
        "kind": one_of(("macs", "params", "latency")),
        "target": number(),
        "cost": number(0),
        "at": mapping(option),
        "macs": COUNT,
        "params": COUNT,
        "score": number(),
    },
    {
        "accuracy": maybe(SHARE),
        "value": maybe(number()),
        "test_accuracy": maybe(SHARE),
        "test_value": maybe(number()),
    },
)
CONSTRAINTS: Final = fields(
    {"subnets": listed(KEPT)},
    {
        "format": one_of(("specc constraints 1",)),
        "network": text,
        "dataset": text,
        "fingerprint": text,
        "weights": text,
        "metric": maybe(METRIC),
    },
)
"""The constraints.json that prioritised sampling writes."""


def to_json(points: Sequence[Point], about: Mapping[str, Any]) -> str:
    """pareto.json: what the points are about, then the points by rising MACs."""
    rows = [as_row(point) for point in sorted(points, key=lambda p: p.macs)]
    metric = points[0].metric if points else ACCURACY
    about = {**about, **measured_by(metric)}
    return json.dumps({"format": "specc front 1", **about, "points": rows}, indent=2) + "\n"


def as_row(point: Point) -> dict[str, Any]:
    """A point as plain data: its value is called `accuracy` where it is one."""
    words = {"value": "accuracy", "test_value": "test_accuracy"} if point.metric == ACCURACY else {}
    names = (field.name for field in fields_of(Point) if field.name != "metric")
    return {words.get(n, n): dict(point.at) if n == "at" else getattr(point, n) for n in names}


def from_json(text: str | bytes) -> list[Point]:
    """The points of pareto.json, or of constraints.json, in its order. Raises ValueError where it is something else."""
    return points_of(read_json(text))


def points_of(content: Any) -> list[Point]:
    """The points of a front. Raises ValueError where it is none."""
    (CONSTRAINTS if isinstance(content, dict) and "subnets" in content else FRONT)(content)
    metric = metric_of(content)
    return [point_of(row, metric) for row in content.get("subnets") or content.get("points", ())]


def point_of(row: Mapping[str, Any], metric: Metric = ACCURACY) -> Point:
    """A point from a row; what was not measured is as a point has it."""
    words = {"accuracy": "value", "test_accuracy": "test_value"}
    named = {words.get(name, name): value for name, value in row.items() if value is not None}
    known = {field.name: named[field.name] for field in fields_of(Point) if field.name in named}
    return Point(**known | {"metric": metric})


def within(points: Sequence[Point], budgets: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points that satisfy the constraints. Exits where none does."""
    kept = [point for point in points if point.within(budgets)]
    if not kept:
        least = min(points, key=lambda point: point.macs)
        found = f"the smallest has {least.macs:,} MACs, {least.params:,} parameters"
        named = {str(budget["name"]) for budget in budgets}
        for name, unit, scale in (("latency", "ms", 1000), ("memory", "bytes", 1)):
            known = [value for point in points if (value := getattr(point, name)) is not None]
            if name in named and known:
                found += f"; the least {name} is {min(known) * scale:g} {unit}"
        raise SystemExit(f"no sub-network satisfies the constraints; {found}")
    return kept


def best(points: Sequence[Point]) -> Point:
    """The best point by its metric, the cheapest of equals."""
    return max(points, key=lambda point: (point.merit, -point.macs))


def thrifty(points: Sequence[Point], loss: float = 0.01) -> Point:
    """The cheapest point that is at most `loss` worse than the best: that much of a share, that share of a number."""
    first = best(points)
    enough = first.merit - loss * (1.0 if first.metric.share else abs(first.value))
    return min(
        (point for point in points if point.merit >= enough), key=lambda p: (p.macs, -p.merit)
    )
