"""US-Nets' training step: the sandwich rule and in-place distillation (Yu and Huang, 2019)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from elastic.data.images import Inputs
from elastic.train.interfaces import Passes, Space


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

    The first plan must be the largest sub-network's. It learns the labels; the others learn its answers, as it gave
    them in this very step: detached, so that no gradient reaches the teacher through its pupils.
    """
    losses = []
    teacher: Tensor | None = None
    for plan in trainer.passes(plans):
        logits = trainer.forward(images, plan)
        if teacher is None or not distill:
            loss = trainer.criterion(logits, labels)
            teacher = logits.detach()
        else:
            loss = soft_cross_entropy(logits, teacher, temperature)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses


def soft_cross_entropy(logits: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """-sum_c softmax(teacher / T)_c log softmax(logits / T)_c, the mean over the batch.

    Both are (B, classes). The factor T^2 keeps the gradient's size.
    """
    wanted = F.softmax(teacher / temperature, dim=-1)
    said = F.log_softmax(logits / temperature, dim=-1)
    return -(wanted * said).sum(dim=-1).mean() * temperature**2
