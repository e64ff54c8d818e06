"""Early exits: one forward pass, the losses of all exits, one backward pass (slicing, Eq. 1 and 2 over exits)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def weights_of(space: Space, levels: Levels, weights: Sequence[float]) -> dict[str, float]:
    """The weight of every answer: of its exit, which all its levels share."""
    of_exit = dict(zip(space.CHOICES["exit"], weights, strict=True))
    return {name: float(of_exit[levels.stem(name)]) for name in levels.of}


def step(
    trainer: Passes,
    images: Inputs,
    labels: Tensor,
    plan: Any,
    levels: Levels,
    weights: Mapping[str, float] | None = None,
) -> list[Tensor]:
    """Forward and backward of one step: sum over exits e and levels d of w_e L(y_d, f_{e,d}(x)).

    `plan` asks for all answers. Returns the loss of each, unweighted, in the plan's order.
    """
    (plan,) = trainer.passes([plan])
    losses = levels.losses(trainer.criterion, trainer.outputs(images, plan), labels)
    weighted = (loss if weights is None else loss * weights[name] for name, loss in losses.items())
    trainer.backward(total(weighted))
    return [loss.detach() for loss in losses.values()]


def validate(trainer: Trainer, batches: Batches) -> dict[str, Score]:
    """The score of every exit and of the head, at every level, from one pass over the images."""
    net: Any = trainer.evaluated
    same_buffers(net, trainer.world)
    return evaluate_outputs(
        net, net.plan("max", "all"), batches, trainer.task, trainer.world, read_levels()
    )


def table(
    trainer: Trainer,
    space: Space,
    testing: Batches,
    target: float | None,
    folder: Path,
    validation: Batches | None = None,
) -> str:
    """Every exit with its costs and its accuracy at every level; written as answers.json too.

    The finest level that reaches the target is picked on the `validation` batches, not on the test set.
    """
    net: Any = trainer.evaluated
    plans = [net.plan({"exit": name}) for name in space.CHOICES["exit"]]
    picking = None if validation is None else validate(trainer, validation)
    rows = subnets(space, read_levels(), plans, validate(trainer, testing), picking)
    return report(rows, target, folder)
