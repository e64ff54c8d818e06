"""TIPS' training step (Li et al., 2023, section 4.3 and B.2): important groups of channels are drawn wider."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from elastic.data.images import Inputs
from elastic.run.progress import table
from elastic.train.interfaces import Passes, Space
from elastic.train.several import detached
from tips_importance import read_importance

__all__ = ["Draws", "draws_of", "draws_table", "read_importance", "step", "sub_networks"]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """How sub-networks are drawn.

    boosts    how much wider than others each width group is drawn, by its choice: 1, or `boost` where it is important
    keeps     the probability with which each skippable sub-path is kept, by its choice
    least     the smallest share of its channels that any group has on offer (w_min)
    together  whether one draw decides all groups of a sub-network
    """

    boosts: Mapping[str, float]
    keeps: Mapping[str, float]
    least: float
    together: bool

    def share(self, rng: random.Random) -> float:
        """u ~ U[w_min / boost, 1]: so far down that important groups reach their smallest option too."""
        return rng.uniform(self.least / max(self.boosts.values(), default=1.0), 1.0)


def draws_of(
    found: Mapping[str, Any],
    space: Space,
    boost: float = 1.5,
    keep: float = 0.5,
    together: bool = True,
) -> Draws:
    """How sub-networks are drawn by what `read_importance` found."""
    boosts = {row["choice"]: boost if row["important"] else 1.0 for row in found["groups"]}
    keeps = {
        row["choice"]: min(1.0, boost * keep) if row["important"] else keep
        for row in found["sub_paths"]
    }
    ratios = [space.CHOICES[name][0] / space.CHOICES[name][-1] for name in boosts]
    return Draws(boosts, keeps, min(ratios, default=1.0), together)


def draw(space: Space, rng: random.Random, draws: Draws) -> dict[str, Any]:
    """One sub-network. With u ~ U[w_min / boost, 1] unimportant groups keep max(w_min, u) of their channels, important
    ones max(w_min, min(1, boost u)): boost times as many for w_min <= u <= 1 / boost, and every option is drawn.

    Skippable sub-paths are kept or dropped as a whole; any other choice is uniform.
    """
    at = {name: rng.choice(options) for name, options in space.CHOICES.items()}
    for name, probability in draws.keeps.items():
        at[name] = rng.random() < probability
    u = draws.share(rng)
    for name, boost in draws.boosts.items():
        if not draws.together:
            u = draws.share(rng)
        at[name] = nearest(space.CHOICES[name], max(draws.least, min(1.0, boost * u)))
    return space.canonical(at)


def nearest(counts: Sequence[int], share: float) -> int:
    """The option nearest to a share of the last one, the larger of two that are equally near."""
    wanted = share * counts[-1]
    return min(reversed(counts), key=lambda count: abs(count - wanted))


def sub_networks(
    space: Space, rng: random.Random, draws: Draws, subnets: int
) -> list[dict[str, Any]]:
    """The assignments of one step: the super-network and `subnets` drawn ones."""
    return [space.largest(), *(draw(space, rng, draws) for _ in range(subnets))]


def step(
    trainer: Passes, images: Inputs, labels: Tensor, plans: Sequence[Any], distill: float = 1.0
) -> list[Tensor]:
    """Forward and backward of one step, all losses added (Eq. 21). Returns them in the plans' order.

    The super-network, which comes first, learns the labels; the others learn the labels and, with the weight
    `distill`, its outputs, detached: as soft cross-entropy where they are probabilities.
    """
    losses = []
    teacher: Any = None
    for plan in trainer.passes(plans):
        output = trainer.forward(images, plan)
        loss = trainer.criterion(output, labels)
        if teacher is None:
            teacher = detached(output)
        elif distill:
            soft = trainer.distance(output, teacher) + trainer.entropy(teacher)
            loss = loss + distill * soft
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses


def draws_table(found: Mapping[str, Any], space: Space, draws: Draws) -> str:
    """What importance.json says of every width group and sub-path, and how each is drawn, most important first."""
    rows = []
    for row in sorted(found["groups"], key=lambda row: -row["score"]):
        name = row["choice"]
        shares = f"{draws.least:.2f}..1 of {space.CHOICES[name][-1]} channels"
        if draws.boosts[name] > 1:
            shares += f", {draws.boosts[name]:g} times as wide"
        rows.append([name, f"{row['score']:.5f}", "yes" if row["important"] else "no", shares])
    for row in sorted(found["sub_paths"], key=lambda row: -row["score"]):
        kept = f"kept {draws.keeps[row['choice']]:.0%} of the time"
        rows.append(
            [row["choice"], f"{row['score']:.5f}", "yes" if row["important"] else "no", kept]
        )
    return table(["group or sub-path", "TAS", "important", "drawn"], rows)
