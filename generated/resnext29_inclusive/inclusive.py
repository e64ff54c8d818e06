"""I-ResNeXt's training step: K nested sub-networks, a pass each, their losses summed (slicing, Eq. 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from elastic.data.images import Inputs
from elastic.run.distributed import same_buffers
from elastic.train.interfaces import Batches, Passes, Space
from elastic.train.levels import Levels, read_levels, total
from elastic.train.outputs import evaluate_outputs, report, subnets
from elastic.train.scores import Score
from elastic.train.trainer import Trainer


def nested(net: Any, space: Space, choice: str, levels: Levels) -> list[Any]:
    """A plan for every nested sub-network, largest first, that asks for its own classifiers at all levels."""
    assignments = [{choice: option} for option in reversed(space.CHOICES[choice])]
    return [net.plan(at, outputs=levels.beside(net.plan(at).prediction)) for at in assignments]


def step(
    trainer: Passes, images: Inputs, labels: Tensor, plans: Sequence[Any], levels: Levels
) -> list[Tensor]:
    """Forward and backward of one step: sum over k and d of L(y_d, f_{k,d}(x)), a pass for each k.

    Returns the loss of every sub-network, over all its levels, in the plans' order.
    """
    losses = []
    for plan in trainer.passes(plans):
        outputs = trainer.outputs(images, plan)
        loss = total(levels.losses(trainer.criterion, outputs, labels).values())
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses


def validate(trainer: Trainer, space: Space, choice: str, batches: Batches) -> dict[str, Score]:
    """The score of every sub-network at every level, each with its own norms and classifiers."""
    net: Any = trainer.evaluated
    same_buffers(net, trainer.world)
    levels = read_levels()
    found: dict[str, Score] = {}
    for plan in nested(net, space, choice, levels):
        found |= evaluate_outputs(net, plan, batches, trainer.task, trainer.world, levels)
    return found


def table(
    trainer: Trainer,
    space: Space,
    choice: str,
    testing: Batches,
    target: float | None,
    folder: Path,
    validation: Batches | None = None,
) -> str:
    """Every sub-network with its costs and its accuracy at every level; written as answers.json too.

    The finest level that reaches the target is picked on the `validation` batches, not on the test set.
    """
    net: Any = trainer.evaluated
    plans = [net.plan({choice: option}) for option in space.CHOICES[choice]]
    picking = None if validation is None else validate(trainer, space, choice, validation)
    tested = validate(trainer, space, choice, testing)
    rows = subnets(space, read_levels(), plans, tested, picking, trainer.task.metrics[0])
    return report(rows, target, folder)
