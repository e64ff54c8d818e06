"""AWN's training step (Vu et al., 2020, Algorithm 1): a few widths, each on the labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from elastic.data.images import Inputs
from elastic.run.distributed import same_buffers
from elastic.run.progress import amount, table
from elastic.train.evaluate import evaluate
from elastic.train.interfaces import Batches, Passes, Space
from elastic.train.scores import Score
from elastic.train.trainer import Trainer


def widths(space: Space, rng: random.Random, count: int | Sequence[int]) -> list[dict[str, Any]]:
    """The widths of one step: those given; or the widest, the narrowest, and `count` - 2 drawn evenly."""
    if isinstance(count, int):
        drawn = [space.draw(rng) for _ in range(count - 2)]
        return [space.largest(), space.smallest(), *drawn]
    (choice,) = space.CHOICES
    return [{choice: width} for width in count]


def step(trainer: Passes, images: Inputs, labels: Tensor, plans: Sequence[Any]) -> list[Tensor]:
    """Forward and backward of one step: the losses of all widths, added. Returns them, in the plans' order."""
    losses = []
    for plan in trainer.passes(plans):
        loss = trainer.criterion(trainer.forward(images, plan), labels)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses


def spaced(space: Space, count: int) -> list[dict[str, Any]]:
    """So many widths from the narrowest to the widest, as evenly spaced as whole channels are."""
    ((choice, options),) = space.CHOICES.items()
    places = [round(i * (len(options) - 1) / max(1, count - 1)) for i in range(count)]
    return [{choice: options[i]} for i in dict.fromkeys(places)]


def validate(trainer: Trainer, space: Space, batches: Batches, count: int) -> dict[str, Score]:
    """The scores of the widest, the narrowest, and of the mean of evenly spaced widths (AUC)."""
    scores = list(curve(trainer, space, batches, count).values())
    mean = Score(
        sum(score.value for score in scores) / len(scores),
        sum(score.loss for score in scores) / len(scores),
        scores[0].images,
        max(score.broken for score in scores),
        {key: sum(score.also[key] for score in scores) / len(scores) for key in scores[0].also},
    )
    return {"widest": scores[-1], "narrowest": scores[0], "auc": mean}


def curve(trainer: Trainer, space: Space, batches: Batches, count: int) -> dict[int, Score]:
    """The score of each of some evenly spaced widths, narrowest first. No norm is calibrated: one fits all."""
    net: Any = trainer.evaluated
    same_buffers(net, trainer.world)
    found = {}
    for at in spaced(space, count):
        (width,) = at.values()
        found[int(width)] = evaluate(net, net.plan(at), batches, trainer.task, trainer.world)
    return found


def curve_table(trainer: Trainer, space: Space, batches: Batches, count: int) -> str:
    """The curve of the metric over width, with costs."""
    (choice,) = space.CHOICES
    metric = trainer.task.metrics[0]
    rows = [
        [
            str(width),
            amount(space.macs({choice: width})),
            amount(space.params({choice: width})),
            metric.shown(score.value),
        ]
        for width, score in curve(trainer, space, batches, count).items()
    ]
    return table(["width", "MACs", "params", f"test {metric.name}"], rows)
