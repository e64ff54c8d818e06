"""PSS-Net's pools: for every constraint the best sub-networks seen so far, drawn from by priority (Algorithm 2).

A pool holds (sub-network, score) pairs, best first. The score is minus the loss of a batch; of a sub-network that comes
again, a moving average. While a pool is not full, sub-networks come from the space; afterwards with a probability that
falls from 1 to `space_share_end`, else from the pool, by a softmax whose temperature falls to `temperature_end`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from typing import Any, TypeAlias

from specc.space.choices import Option

Draw: TypeAlias = Callable[[int, random.Random], Mapping[str, Option]]
"""Draws a sub-network of the space that keeps the constraint of that number."""
Entry: TypeAlias = tuple[dict[str, Option], float]
"""A sub-network, as its canonical assignment, and its score."""

WORST = -1e30
"""The score of a loss that is no number."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What a step trains beside the largest and the smallest: a sub-network that keeps constraint `constraint`."""

    constraint: int
    at: dict[str, Option]
    from_pool: bool


class Pools:
    """The pools of all constraints during training. `capacities` says how many sub-networks each may hold."""

    def __init__(
        self,
        draw: Draw,
        capacities: Sequence[int],
        space_share_end: float = 0.01,
        temperature_end: float = 0.01,
        smoothing: float = 0.9,
    ) -> None:
        self.draw = draw
        self.capacities = tuple(capacities)
        self.space_share_end = space_share_end
        self.temperature_end = temperature_end
        self.smoothing = smoothing
        self.entries: list[list[Entry]] = [[] for _ in capacities]

    def is_full(self, constraint: int) -> bool:
        return len(self.entries[constraint]) >= self.capacities[constraint]

    def pick(self, rng: random.Random, epoch: int, epochs: int) -> Pick:
        """A constraint, drawn uniformly, and a sub-network that keeps it. Epochs are counted from 0."""
        constraint = rng.randrange(len(self.capacities))
        progress = epoch / max(1, epochs)
        if self.is_full(constraint) and rng.random() >= annealed(self.space_share_end, progress):
            entries = self.entries[constraint]
            temperature = annealed(self.temperature_end, progress)
            shares = softmax([score for _, score in entries], temperature)
            return Pick(constraint, dict(rng.choices(entries, shares)[0][0]), from_pool=True)
        return Pick(constraint, dict(self.draw(constraint, rng)), from_pool=False)

    def record(self, pick: Pick, score: float) -> None:
        """Takes in how the sub-network did: minus its loss on the batch, before the step's update."""
        self.entries[pick.constraint] = updated(
            self.entries[pick.constraint],
            pick.at,
            score,
            self.capacities[pick.constraint],
            self.smoothing,
        )

    def best(self, constraint: int, number: int) -> list[dict[str, Option]]:
        """The sub-networks of a pool with the highest scores, best first."""
        return [dict(at) for at, _ in self.entries[constraint][:number]]

    def score(self, constraint: int, at: Mapping[str, Option]) -> float:
        """The score of a sub-network in a pool. Raises KeyError where it is not there."""
        for other, score in self.entries[constraint]:
            if other == at:
                return score
        raise KeyError(f"pool {constraint} does not hold {dict(at)}")

    def state(self) -> dict[str, Any]:
        """Everything that the next pick depends on, as lists, dicts, numbers and text."""
        entries = [[[dict(at), score] for at, score in pool] for pool in self.entries]
        return {"capacities": list(self.capacities), "entries": entries}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues from `state()`. Raises ValueError where it is of other constraints."""
        if tuple(state["capacities"]) != self.capacities:
            raise ValueError(
                f"the pools are of other constraints: {len(state['capacities'])} then, {len(self.capacities)} now"
            )
        self.entries = [
            [(dict(at), float(score)) for at, score in pool] for pool in state["entries"]
        ]


def annealed(end: float, progress: float) -> float:
    """end^progress: 1 in the first epoch, towards `end` in the last (Eq. 3, for a pool that is full)."""
    return float(end**progress)


def softmax(scores: Sequence[float], temperature: float) -> list[float]:
    """exp(m / eta) / sum exp(m / eta) (Eq. 6)."""
    most = max(scores)
    weights = [exp((score - most) / temperature) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


def updated(
    entries: Sequence[Entry],
    at: Mapping[str, Option],
    score: float,
    capacity: int,
    smoothing: float,
) -> list[Entry]:
    """A pool after a sub-network scored (Algorithm 2, lines 8 to 17): best first, the earlier of equals first.

    One that is there already keeps the share `smoothing` of its score; a new one comes in, and above capacity the worst
    goes, which may be the new one.
    """
    score = score if isfinite(score) else WORST
    known = next((old for other, old in entries if other == at), None)
    if known is not None:
        score = smoothing * known + (1 - smoothing) * score
    others = [entry for entry in entries if entry[0] != at]
    place = next((i for i, (_, other) in enumerate(others) if other < score), len(others))
    return [*others[:place], (dict(at), score), *others[place:]][:capacity]
