"""Whole fronts, by brute force over spaces that can be listed; and hypervolumes beside pymoo's NSGA-II."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import exp
from pathlib import Path
from statistics import mean
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import ElementwiseProblem
from pymoo.indicators.hv import HV
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.crossover.ux import UX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from specc.runtime.run.journal import key
from specc.runtime.search.front import Point, admit
from specc.runtime.search.proposals import Proposals
from specc.runtime.train.interfaces import Assignment
from tests.helpers.projects import compiled
from tests.helpers.space_modules import space_of_graph
from tests.helpers.toy import EVOLUTION, Toy, better, by, evaluator_of, searched, slow, stages

PAIRS = [("macs",), ("params",), ("memory",), ("latency",)]
TRIPLES = [
    ("macs", "params"),
    ("macs", "memory"),
    ("macs", "latency"),
    ("params", "memory"),
    ("params", "latency"),
    ("memory", "latency"),
]


def objectives(space: Toy, at: Assignment, costs: Sequence[str]) -> tuple[float, ...]:
    """What is to be made small, from the functions that define the toy."""
    known = {"macs": space.macs, "params": space.params, "memory": space.memory, "latency": slow}
    return (-better(at), *(known[name](at) for name in costs))


def undominated(
    space: Toy, costs: Sequence[str], kept: Callable[[Assignment], bool] = lambda at: True
) -> set[tuple[float, ...]]:
    """Every sub-network against every other one, of those that are kept."""
    values = {objectives(space, at, costs) for at in space.every() if kept(at)}
    table = np.array([*values])

    def beaten(value: tuple[float, ...]) -> bool:
        return bool(((table <= value).all(1) & (table < value).any(1)).any())

    return {value for value in values if not beaten(value)}


@pytest.mark.parametrize(
    ("name", "looked_at", "cases"),
    [("exhaustive", 1200, [*PAIRS, *TRIPLES]), ("evolution", 800, [*PAIRS, TRIPLES[3], TRIPLES[5]])],
    ids=["exhaustive", "evolution"],
)
def test_whole_fronts_of_two_and_three_objectives_are_found(
    tmp_path: Path, name: str, looked_at: int, cases: Sequence[Sequence[str]]
) -> None:
    """Of 1200 sub-networks evolution looks at two thirds; the fronts have 13 to 79 points, or up to 325."""
    space = stages()
    assert space.SIZE == 1200
    for costs in cases:
        evaluator = evaluator_of(space, by(better, slow), tmp_path / "-".join(costs), timed="latency" in costs)
        strategy = {**EVOLUTION, "name": name, "evaluations": looked_at, "population": 32, "mutation": 0}
        evaluated, front = searched(space, evaluator, strategy, costs=costs)
        assert len(evaluated) == len({key(point.at) for point in evaluated}) == looked_at
        assert {objectives(space, point.at, costs) for point in front} == undominated(space, costs)
        assert all(point.value == better(point.at) for point in front)


@pytest.mark.parametrize("name", ["macs", "params", "memory", "latency"])
def test_the_front_within_limits_is_found_for_all_objectives(tmp_path: Path, name: str) -> None:
    """Of what lies between a quarter and a half of a cost's values, whatever the objectives."""
    space = stages()
    values = sorted(objectives(space, at, [name])[1] for at in space.every())
    least, most = values[300], values[600]

    def kept(at: Assignment) -> bool:
        return least <= objectives(space, at, [name])[1] <= most

    inside = sum(map(kept, space.every()))
    assert 300 <= inside <= 600
    budget = {"name": name, "least": least, "most": most}
    # what is too slow is known only when it was tried, and so takes a share of the evaluations
    strategy = {**EVOLUTION, "evaluations": 5 * inside // 6 if name != "latency" else 900, "population": 32}
    for costs in (("macs",), ("latency",), ("params", "memory")):
        evaluator = evaluator_of(
            space, by(better, slow), tmp_path / "-".join(costs), [budget], timed="latency" in (name, *costs)
        )
        evaluated, front = searched(space, evaluator, strategy, costs=costs)
        assert all(kept(point.at) for point in evaluated)
        assert {objectives(space, point.at, costs) for point in front} == undominated(space, costs, kept)


def test_equal_accuracy_at_more_macs_is_dominated() -> None:
    cheap, dear, same = Point({"n": 1}, 10, 5, 0.9), Point({"n": 2}, 11, 5, 0.9), Point({"n": 3}, 10, 5, 0.9)
    for order in ([cheap, dear, same], [dear, cheap, same], [dear, same, cheap]):
        front: list[Point] = []
        for point in order:
            front = admit(front, point, ["macs"])
        assert [point.macs for point in front] == [10]
    assert admit([cheap], Point({"n": 4}, 10, 4, 0.9), ["macs", "params"]) == [Point({"n": 4}, 10, 4, 0.9)]
    assert len(admit([cheap], Point({"n": 5}, 11, 4, 0.9), ["macs", "params"])) == 2


def space_of(name: str) -> ModuleType:
    """A spec's space.py, beside the compiler's own `choices`."""
    found: ModuleType = space_of_graph(compiled(name).graph)
    return found


class Worth:
    """An accuracy of 0.35 to 0.75: every choice is worth something of its own, larger options more, but ever less so;
    some choices help or hinder each other; and the whole saturates."""

    def __init__(self, space: ModuleType, seed: int) -> None:
        rng = random.Random(seed)
        names = [*space.CHOICES]
        self.places = {
            name: {option: i / (len(options) - 1) for i, option in enumerate(options)}
            for name, options in space.CHOICES.items()
        }
        self.worths = {name: (rng.lognormvariate(0, 0.8), rng.uniform(0.3, 1.0)) for name in names}
        self.together = [(rng.choice(names), rng.choice(names), rng.uniform(-0.3, 0.3)) for _ in names]

    def __call__(self, at: Assignment) -> float:
        place = {name: places.get(at.get(name), 0.0) for name, places in self.places.items()}
        worth = sum(w * place[name] ** power for name, (w, power) in self.worths.items())
        worth += sum(w * place[a] * place[b] for a, b, w in self.together)
        return 0.35 + 0.4 * (1 - exp(-2.5 * max(0.0, worth) / sum(w for w, _ in self.worths.values())))


class Encoded(ElementwiseProblem):  # type: ignore[misc]
    """A space as pymoo takes it: a whole number for every choice. Writes down what is evaluated."""

    def __init__(self, space: ModuleType, accuracy: Worth, costs: Sequence[str]) -> None:
        self.space, self.accuracy, self.costs = space, accuracy, costs
        self.found: list[list[float]] = []
        most = np.array([len(options) - 1 for options in space.CHOICES.values()])
        super().__init__(n_var=len(most), n_obj=1 + len(costs), xl=0, xu=most, vtype=int)

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **more: Any) -> None:
        chosen = zip(x, self.space.CHOICES.items(), strict=True)
        at = self.space.canonical({name: options[int(i)] for i, (name, options) in chosen})
        out["F"] = [-self.accuracy(at), *(getattr(self.space, name)(at) for name in self.costs)]
        self.found.append(out["F"])


def theirs(problem: Encoded, crossover: Any, budget: int, seed: int) -> list[list[float]]:
    algorithm = NSGA2(
        pop_size=32,
        sampling=IntegerRandomSampling(),
        crossover=crossover,
        mutation=PM(eta=20, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    minimize(problem, algorithm, ("n_eval", budget), seed=seed, verbose=False)
    return problem.found


def ours(space: ModuleType, accuracy: Worth, costs: Sequence[str], budget: int, seed: int) -> list[list[float]]:
    strategy = {**EVOLUTION, "evaluations": budget, "population": 32, "mutation": 0}
    proposals = Proposals(space, strategy, random.Random(seed), costs)
    found: list[list[float]] = []
    for generation in proposals:
        points = [Point(at, space.macs(at), space.params(at), accuracy(at)) for at in generation]
        proposals.learn(points)
        found += [[-point.value, *(point.cost(name) for name in costs)] for point in points]
    return found


@pytest.mark.parametrize("costs", [("macs",), ("macs", "params")])
def test_evolution_does_no_worse_than_pymoos_with_as_many_evaluations(costs: Sequence[str]) -> None:
    """mobilenet_v2_tips, 9e28 sub-networks: the share of the box of costs and accuracies that the front dominates after
    256 and 512 evaluations, on average over seeds, beside two of pymoo's crossovers."""
    space = space_of("mobilenet_v2_tips")
    ends = [
        np.array([-accuracy, *(getattr(space, name)(at) for name in costs)])
        for accuracy, at in ((0.75, space.smallest()), (0.35, space.largest()))
    ]
    volumes: dict[tuple[str, int], list[float]] = {}
    for seed in range(3):
        accuracy = Worth(space, seed)
        simulated = SBX(prob=0.9, eta=15, vtype=float, repair=RoundingRepair())
        found = {
            "ours": ours(space, accuracy, costs, 512, seed),
            "theirs, simulated binary": theirs(Encoded(space, accuracy, costs), simulated, 512, seed),
            "theirs, uniform": theirs(Encoded(space, accuracy, costs), UX(), 512, seed),
        }
        for name, rows in found.items():
            assert len(rows) >= 512
            for budget in (256, 512):
                scaled = (np.array(rows[:budget]) - ends[0]) / (ends[1] - ends[0])
                volume = float(HV(ref_point=np.ones(1 + len(costs)))(scaled))
                volumes.setdefault((name, budget), []).append(volume)
    for budget in (256, 512):
        best = max(mean(volumes[name, budget]) for name in ("theirs, simulated binary", "theirs, uniform"))
        assert mean(volumes["ours", budget]) >= best > 0.3
