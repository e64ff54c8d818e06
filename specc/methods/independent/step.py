"""The training step of slimmable networks (Yu et al., 2019): every listed sub-network learns the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from specc.runtime.data.images import Inputs
from specc.runtime.train.interfaces import Assignment, Passes, Space
from specc.runtime.train.subnets import resolved


def listed(space: Space, subnets: Sequence[Assignment | str]) -> list[dict[str, Any]]:
    """The assignments behind "max", "min" and partial assignments: what these leave out is at its largest."""
    return [resolved(space, at) for at in subnets]


def step(trainer: Passes, images: Inputs, labels: Tensor, plans: Sequence[Any]) -> list[Tensor]:
    """Forward and backward of one step; the gradients of all passes add up. Returns the losses, in the plans' order."""
    losses = []
    for plan in trainer.passes(plans):
        loss = trainer.criterion(trainer.forward(images, plan), labels)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses
