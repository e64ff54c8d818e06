"""US-Nets' training step: the sandwich rule and in-place distillation (Yu and Huang, 2019)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from elastic.data.images import Inputs
from elastic.train.interfaces import Passes, Space
from elastic.train.several import detached


def sandwich(space: Space, rng: random.Random, subnets: int) -> list[dict[str, Any]]:
    """The assignments of one step: the largest, `subnets` - 2 drawn at random, the smallest."""
    drawn = [space.draw(rng) for _ in range(subnets - 2)]
    return [space.largest(), *drawn, space.smallest()]


def step(
    trainer: Passes,
    images: Inputs,
    labels: Tensor,
    plans: Sequence[Any],
    distill: bool = True,
    temperature: float = 1.0,
) -> list[Tensor]:
    """Forward and backward of one step; the gradients of all passes add up. Returns the losses, in the plans' order.

    The first plan must be the largest sub-network's. It learns the labels; the others learn its outputs, as it gave
    them in this very step: detached, so that no gradient reaches the teacher through its pupils.
    """
    losses = []
    teacher: Any = None
    for plan in trainer.passes(plans):
        output = trainer.forward(images, plan)
        if teacher is None or not distill:
            loss = trainer.criterion(output, labels)
            teacher = detached(output)
        else:
            loss = trainer.distance(output, teacher, temperature)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses
