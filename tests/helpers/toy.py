"""Spaces whose fronts are known, and an evaluator that needs no network: accuracy is a function of the assignment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specc.runtime.run.distributed import World
from specc.runtime.run.journal import open_journal
from specc.runtime.search.evaluator import Evaluator, Measure
from specc.runtime.search.front import Point, admit
from specc.runtime.search.proposals import Proposals
from specc.runtime.train.interfaces import Assignment
from specc.space import choices
from specc.space.choices import Space, Term

Rows = NDArray[np.int64]
Accuracy = Callable[[Assignment], float]
EVOLUTION = {"name": "evolution", "evaluations": 100, "population": 8, "mutation": 0.2, "windows": 4}


WIDTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


class Toy:
    """What space.py offers. A cost is a sum over the active choices of what their options cost."""

    def __init__(
        self,
        options: Mapping[str, Sequence[Any]],
        costs: Mapping[str, Sequence[int]],
        active: Mapping[str, Sequence[Term]] | None = None,
    ) -> None:
        self.CHOICES = options
        self.costs = costs
        # What a choice costs is nothing where it does not matter: it is read together with what decides that.
        together = [(name, *{parent for term in terms for parent in term}) for name, terms in (active or {}).items()]
        self.SPACE = Space(options, active or {}, together, self.batched)
        self.SIZE = sum(1 for _ in choices.every(self.SPACE)) if len(options) < 12 else 2 ** len(options)

    def batched(self, rows: Rows) -> tuple[Rows, Rows]:
        at = [choices.assignment_at(self.SPACE, row) for row in rows.tolist()]
        return np.array([*map(self.macs, at)]), np.array([*map(self.params, at)])

    def every(self) -> Iterator[dict[str, Any]]:
        return choices.every(self.SPACE)

    def canonical(self, at: Assignment) -> dict[str, Any]:
        return choices.canonical(self.SPACE, at)

    def largest(self) -> dict[str, Any]:
        return choices.largest(self.SPACE)

    def smallest(self) -> dict[str, Any]:
        return choices.smallest(self.SPACE)

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return choices.draw(self.SPACE, rng)

    def macs(self, at: Assignment) -> int:
        return sum(self.costs[name][self.CHOICES[name].index(option)] for name, option in at.items())

    def params(self, at: Assignment) -> int:
        return 7 * len(at)

    def memory(self, at: Assignment) -> int:
        """What the dearest option costs, and four bytes."""
        return 4 + max(self.costs[name][self.CHOICES[name].index(option)] for name, option in at.items())


def blocks() -> Toy:
    """Two depths and a width, and a kernel that matters where `a` is 2 or 3: 2 * 4 * 5 + 2 * 4 * 2 * 5 sub-networks."""
    options = {"a": (0, 1, 2, 3), "b": (0, 1, 2, 3), "kernel": (3, 5), "width": WIDTHS}
    costs = {"a": (0, 30, 60, 90), "b": (0, 20, 40, 60), "kernel": (0, 17), "width": (10, 31, 73, 131, 211)}
    return Toy(options, costs, {"kernel": [{"a": (2, 3)}]})


def good(at: Assignment) -> float:
    """Accuracy in `blocks`: no two choices are worth what they cost alike, and some cheap ones are worth more."""
    depth = 0.09 * at["a"] ** 0.5 + 0.06 * at["b"] ** 0.7
    found: float = depth + 0.5 * at["width"] ** 0.4 + 0.021 * (at.get("kernel") == 5)
    return found


def stages() -> Toy:
    """1200 sub-networks: `blocks`, a third depth, and a width of it that matters where it is not 0; parameters of their
    own kind."""
    options = {**dict.fromkeys("abc", (0, 1, 2, 3)), "kernel": (3, 5), "wide": (1, 2, 3), "width": WIDTHS}
    costs = {
        "a": (0, 30, 60, 90),
        "b": (0, 20, 40, 60),
        "c": (0, 13, 26, 39),
        "kernel": (0, 17),
        "wide": (0, 11, 29),
        "width": (10, 31, 73, 131, 211),
    }

    class Stages(Toy):
        def params(self, at: Assignment) -> int:
            return int(7 * len(at) + 3 * at["a"] ** 2 + 5 * at["b"] + 40 * at["width"] ** 2)

    return Stages(options, costs, {"kernel": [{"a": (2, 3)}], "wide": [{"c": (1, 2, 3)}]})


def better(at: Assignment) -> float:
    """Accuracy in `stages`."""
    found: float = good(at) + 0.05 * at["c"] ** 0.5 + 0.013 * at.get("wide", 0)
    return found


def slow(at: Assignment) -> float:
    """Seconds in `stages`: a block takes its time whatever its width."""
    found: float = 1e-3 * (1 + 0.7 * at["a"] + 1.1 * at["b"] + at["width"] + 0.3 * (at.get("kernel") == 5))
    return found


def leading(bits: int) -> Toy:
    """The space of `leading_ones`: so many bits."""
    names = [f"b{i:02}" for i in range(bits)]

    class Trailing(Toy):
        def macs(self, at: Assignment) -> int:
            """1 + the number of bits up to the last one that is set: its zeros at the end are free."""
            return 1 + max((i + 1 for i, name in enumerate(self.CHOICES) if at[name]), default=0)

    return Trailing(dict.fromkeys(names, (0, 1)), dict.fromkeys(names, (0, 1)))


def leading_ones(at: Assignment) -> float:
    """LOTZ (Laumanns et al., 2002), as accuracy: the share of ones before the first zero. With `leading`, the front is
    1..10..0 with every number of ones."""
    bits = [at[name] for name in sorted(at)]
    return next((i for i, bit in enumerate(bits) if not bit), len(bits)) / len(bits)


def evaluator_of(
    space: Toy,
    measure: Measure,
    path: Path,
    budgets: Sequence[Mapping[str, Any]] = (),
    timed: bool = False,
    world: World | None = None,
    of: str = "toy",
) -> Evaluator:
    world = world or World(0, 1, torch.device("cpu"))

    def costs(at: Assignment) -> dict[str, int]:
        return {"macs": space.macs(at), "params": space.params(at), "memory": space.memory(at)}

    return Evaluator(costs, measure, open_journal(path, of, world), budgets, timed, world)


def searched(
    space: Toy,
    evaluator: Evaluator,
    strategy: Mapping[str, Any],
    seed: int = 0,
    costs: Sequence[str] = ("macs",),
) -> tuple[list[Point], list[Point]]:
    """All evaluated points and the front, as search.py finds them."""
    proposals = Proposals(space, strategy, random.Random(seed), costs, evaluator.budgets, evaluator.allowed)
    evaluated: list[Point] = []
    front: list[Point] = []
    for generation in proposals:
        points = evaluator.points(generation)
        proposals.learn(points)
        for point in points:
            front = admit(front, point, costs)
        evaluated += points
    return evaluated, sorted(front, key=lambda point: point.macs)


def by(accuracy: Accuracy, latency: Accuracy | None = None) -> Measure:
    """A measure from functions; without one for latencies, they are what the accuracy says, in milliseconds."""

    def measure(at: Assignment, what: str) -> dict[str, float]:
        if what != "latency":
            return {what: accuracy(at)}
        value = accuracy(at) / 1000 if latency is None else latency(at)
        return {"latency": value, "latency_p90": 2 * value}

    return measure
