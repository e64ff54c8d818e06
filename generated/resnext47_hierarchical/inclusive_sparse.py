"""IS-ResNeXt's training step: all K losses from one forward and one backward pass (slicing, section 3.2)."""

from __future__ import annotations

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

__all__ = ["everything", "read_levels", "step", "table", "validate"]


def everything(net: Any) -> Any:
    """The plan of all slices that asks for the classifiers of every number of them, at all levels."""
    return net.plan("max", "all")


def step(
    trainer: Passes, images: Inputs, labels: Tensor, plan: Any, levels: Levels
) -> list[Tensor]:
    """One pass forward and one back: sum over k and d of L(y_d, f_{k,d}(x)) (Eq. 2).

    The k-th sub-network is the first k slices of the whole, so this is the gradient of K passes.
    Returns the loss of every answer, in the plan's order.
    """
    (plan,) = trainer.passes([plan])
    losses = levels.losses(trainer.criterion, trainer.outputs(images, plan), labels)
    trainer.backward(total(losses.values()))
    return [loss.detach() for loss in losses.values()]


def validate(trainer: Trainer, batches: Batches) -> dict[str, Score]:
    """The score of every number of slices at every level, from one pass over the images."""
    net: Any = trainer.evaluated
    same_buffers(net, trainer.world)
    return evaluate_outputs(
        net, everything(net), batches, trainer.task, trainer.world, read_levels()
    )


def table(
    trainer: Trainer,
    space: Space,
    choice: str,
    testing: Batches,
    target: float | None,
    folder: Path,
    validation: Batches | None = None,
) -> str:
    """Every number of slices with its costs and its accuracy at every level; written as answers.json too.

    The finest level that reaches the target is picked on the `validation` batches, not on the test set.
    """
    net: Any = trainer.evaluated
    plans = [net.plan({choice: option}) for option in space.CHOICES[choice]]
    picking = None if validation is None else validate(trainer, validation)
    rows = subnets(
        space, read_levels(), plans, validate(trainer, testing), picking, trainer.task.metrics[0]
    )
    return report(rows, target, folder)
