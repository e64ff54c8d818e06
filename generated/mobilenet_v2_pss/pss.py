"""PSS-Net's training step and what lasts between steps (Chen et al., "Prioritized Subnet Sampling")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elastic.data.images import Inputs
from elastic.files.first_version import first_version
from elastic.run.distributed import World, total
from elastic.space.budgets import Budgets, NoBudget, budgets_of
from elastic.space.choices import Option, Space
from elastic.space.pools import Pools
from elastic.train.interfaces import Passes
from elastic.train.several import detached
from pss_keep import keep_best, write_kept

__all__ = ["PrioritizedPools", "build_pools", "keep_best", "step", "write_kept"]


class PrioritizedPools(Pools):
    """The pools of a run, with the constraints that they belong to."""

    def __init__(
        self, budgets: Budgets, capacity: int, space: Space | None = None, **annealing: float
    ) -> None:
        super().__init__(budgets.draw, budgets.capacities(capacity), **annealing)
        self.budgets = budgets
        self.space = space

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues from `state()`. Exits where that is of another spec's pools."""
        try:
            super().restore(state)
            for at in (at for pool in self.entries for at, _ in pool):
                check_options(self.space, at)
        except ValueError as error:
            raise SystemExit(f"the checkpoint does not fit: {error}") from None


def check_options(space: Space | None, at: Mapping[str, Option]) -> None:
    """Raises ValueError where an assignment has choices or options that the space does not have."""
    for name, option in at.items():
        if space and (name not in space.choices or option not in space.choices[name]):
            raise ValueError(f"{name} = {option!r} is no option of this network")


def build_pools(
    space: Space,
    budgets: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    folder: Path,
    net: nn.Module | None = None,
) -> PrioritizedPools:
    """Empty pools for all constraints. Exits where a budget cannot be kept to: a latency that nobody measured.

    `settings` says how many sub-networks a pool may hold (capacity), by which `sampler` the space is drawn from, and
    how drawing changes over time (space_share_end, temperature_end, smoothing). Latency tables lie in `folder`;
    where they are of the first version, the class of `net` says what their names are now.
    """
    capacity = settings["capacity"]
    annealing = {
        name: settings[name] for name in ("space_share_end", "temperature_end", "smoothing")
    }
    renamed = first_version(net).renamed
    try:
        found = budgets_of(space, budgets, capacity, folder, settings["sampler"], renamed)
    except NoBudget as error:
        raise SystemExit(str(error)) from None
    return PrioritizedPools(found, capacity, space, **annealing)


def step(
    trainer: Passes, images: Inputs, labels: Tensor, plans: Sequence[Any], world: World
) -> tuple[list[Tensor], float]:
    """Forward and backward of one step (Algorithm 3); the gradients of all passes add up.

    The plans are the largest sub-network's, the drawn one's, the smallest's. The first learns the labels, the others
    its answers, detached. Returns the losses, in the plans' order, and the drawn one's score: minus its loss on the
    batch's labels, as it answered in this step, before the update, over all processes.
    """
    losses: list[Tensor] = []
    teacher: Any = None
    heard: list[Any] = []
    for plan in trainer.passes(plans):
        output = trainer.forward(images, plan)
        if teacher is None:
            teacher = detached(output)
            loss = trainer.criterion(output, labels)
        else:
            loss = trainer.distance(output, teacher)
            heard.append(detached(output))
        trainer.backward(loss)
        losses.append(loss.detach())
    with torch.no_grad():
        score = -trainer.criterion(heard[0], labels)
    return losses, float(total(score.double(), world)) / world.size
