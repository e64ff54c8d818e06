"""Evaluates the candidates of a search: each measurement is made once, kept, and shared among the processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from elastic.run.distributed import World, gather
from elastic.run.journal import Journal, Measured, key
from elastic.search.front import Point
from elastic.train.calibrate import calibrated
from elastic.train.interfaces import Assignment, Batches
from elastic.train.scores import ACCURACY, Metric

Costs: TypeAlias = Callable[[Assignment], Mapping[str, Any]]
"""What needs no measuring: macs, params, memory; latency where a table predicts it; whether it is trained, where some
are not."""
Measure: TypeAlias = Callable[[Assignment, str], Measured]
"""Measures a metric, latency or test_ and the metric of a sub-network, as the second argument says."""
TIMES: Final = ("latency", "latency_p90")


class Evaluator:
    """Gives sub-networks their points. `timed` says that latencies count, as an objective or a constraint."""

    def __init__(
        self,
        costs: Costs,
        measure: Measure,
        journal: Journal,
        budgets: Sequence[Mapping[str, Any]],
        timed: bool,
        world: World,
        metric: Metric = ACCURACY,
    ) -> None:
        self.costs = costs
        self.measure = measure
        self.journal = journal
        self.budgets = budgets
        self.timed = timed
        self.world = world
        self.metric = metric
        self.reused = 0
        self.counted: dict[str, Point] = {}

    def count(self, at: Assignment) -> Point:
        """With the costs that need no measuring."""
        name = key(at)
        if name not in self.counted:
            self.counted[name] = Point(at, **self.costs(at), metric=self.metric)
        return self.counted[name]

    def point(self, at: Assignment) -> Point:
        """With all that is known. A predicted latency stays, whatever was measured."""
        counted, found = self.count(at), self.journal.known(at)
        words = {name: name for name in TIMES}
        words |= {self.metric.key: "value", f"test_{self.metric.key}": "test_value"}
        known = {words[name]: found[name] for name in words if name in found}
        if counted.latency is not None:
            known = {name: value for name, value in known.items() if "latency" not in name}
        return counted.with_(**known)

    def looked_at(self) -> list[Point]:
        """All that was counted or measured, whether or not it satisfies the constraints."""
        return [self.point(point.at) for point in self.counted.values()]

    def allowed(self, at: Assignment) -> bool:
        """Whether it satisfies the constraints that need no measuring: the same answer whatever was measured before."""
        return self.count(at).within(self.budgets)

    def points(
        self, generation: Sequence[Assignment], advance: Callable[[], None] = lambda: None
    ) -> list[Point]:
        """The candidates that satisfy all constraints, with their value. Calls `advance` for each candidate."""
        names = ("latency", self.metric.key) if self.timed else (self.metric.key,)
        self.reused += sum(not any(self.lacks(at, name) for name in names) for at in generation)
        self.fill(generation, names, advance)
        points = [self.point(at) for at in generation]
        return [p for p in points if p.within(self.budgets) and not self.is_broken(p.at)]

    def is_broken(self, at: Assignment) -> bool:
        """Whether it has answered NaN or Inf: then it has no value, and is on no front."""
        return bool(self.journal.known(at).get("broken"))

    def broken(self) -> list[Assignment]:
        """All that were looked at and have answered NaN or Inf."""
        return [point.at for point in self.counted.values() if self.is_broken(point.at)]

    def finished(self, front: Sequence[Point]) -> list[Point]:
        """The points with latency and the value on the test images."""
        predicted = any(self.count(point.at).latency is not None for point in front)
        test = f"test_{self.metric.key}"
        names = (test,) if predicted else ("latency", test)
        self.fill([point.at for point in front], names)
        return [self.point(point.at) for point in front]

    def fill(
        self,
        assignments: Sequence[Assignment],
        names: Sequence[str],
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        """Measures what is not known yet: candidate i is up to process i modulo their number, and all hear of all."""
        waiting = [at for at in assignments if any(self.lacks(at, name) for name in names)]
        mine = waiting[self.world.rank :: self.world.size]
        for at in mine:
            found: dict[str, float] = {}
            for name in names:
                if self.lacks(at, name):
                    found |= self.measure(at, name)
                    self.journal.learn(at, found)
            self.journal.add(at, found)
            advance()
        for at, measured in gather([(at, self.journal.known(at)) for at in mine], self.world):
            self.journal.learn(at, measured)
        for _ in range(len(assignments) - len(mine)):
            advance()

    def lacks(self, at: Assignment, name: str) -> bool:
        """Whether a figure is unknown, and worth measuring: the constraints are satisfied as far as known."""
        return name not in self.journal.known(at) and self.point(at).within(self.budgets)


class Calibrated:
    """Plans with norm statistics of their own, each calibrated once."""

    def __init__(self, net: Any, batches: Batches | None) -> None:
        self.net = net
        self.batches = batches
        self.plans: dict[str, Any] = {}

    def __call__(self, at: Assignment) -> Any:
        name = key(at)
        if name not in self.plans:
            self.plans[name] = calibrated(self.net, self.net.plan(at), self.batches)
        return self.plans[name]

    def keep(self, points: Iterable[Point]) -> None:
        """Forgets the plans of all others."""
        names = {key(point.at) for point in points}
        self.plans = {name: plan for name, plan in self.plans.items() if name in names}
