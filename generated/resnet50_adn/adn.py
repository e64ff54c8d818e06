"""ADN's training step (Kang and Lee, 2024, Algorithm 1): the super-net on the labels, the base-net on the super-net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from elastic.data.images import Inputs
from elastic.run.progress import amount, table
from elastic.train.calibrate import calibrated
from elastic.train.evaluate import evaluate
from elastic.train.interfaces import Batches, Passes, Space
from elastic.train.trainer import Trainer

MOST_SETTINGS = 1024


def pair(space: Space) -> list[dict[str, Any]]:
    """The super-net, which runs every skippable sub-path, and the base-net, which runs none."""
    return [space.largest(), space.smallest()]


def step(
    trainer: Passes,
    images: Inputs,
    labels: Tensor,
    plans: Sequence[Any],
    *,
    alpha: float = 0.5,
    logits: bool = True,
    temperature: float = 1.0,
) -> list[Tensor]:
    """Forward and backward of one step with `pair`'s plans, the losses of both added (Eq. 8):

        alpha L(y, super) + (1 - alpha) (sum over stages KL(h_super || h_base) + D(super || base))

    The plans ask for the logits first and then for the features to compare. The teacher is detached, so the two
    sub-networks are two passes. Without `logits` the last term is left out. Returns the super-net's part and the
    base-net's.
    """
    losses = []
    teacher: dict[str, Tensor] = {}
    for plan in trainer.passes(plans):
        outputs = trainer.outputs(images, plan)
        if not teacher:
            loss = alpha * trainer.criterion(next(iter(outputs.values())), labels)
            teacher = {name: output.detach() for name, output in outputs.items()}
        else:
            loss = (1 - alpha) * distance(trainer, outputs, teacher, logits, temperature)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses


def step_on_labels(
    trainer: Passes, images: Inputs, labels: Tensor, plans: Sequence[Any]
) -> list[Tensor]:
    """A step without specialisation (section 4.2): (L(y, super) + L(y, base)) / 2."""
    losses = []
    for plan in trainer.passes(plans):
        (output,) = trainer.outputs(images, plan).values()
        loss = trainer.criterion(output, labels) / 2
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses


def distance(
    trainer: Passes,
    pupil: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor],
    logits: bool,
    temperature: float,
) -> Tensor:
    """The sum of KL(teacher || pupil) over the features of both, and, if asked for, what comes first: the distance of
    their outputs."""
    prediction, *features = pupil
    terms = [divergence(pooled(pupil[n]), pooled(teacher[n]), temperature) for n in features]
    if logits:
        terms.insert(0, trainer.distance(pupil[prediction], teacher[prediction], temperature))
    return sum(terms[1:], terms[0])


def pooled(features: Tensor) -> Tensor:
    """(B, C) from maps (B, C, H, W), from tokens (B, T, C), or from what is (B, C) already: means over places."""
    if features.dim() == 4:
        return features.mean(dim=(2, 3))
    return features.mean(dim=1) if features.dim() == 3 else features


def divergence(pupil: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(pupil / T)), summed over channels, the mean over the batch.

    Both are (B, C). The factor T^2 keeps the gradient's size.
    """
    said = F.log_softmax(pupil / temperature, dim=-1)
    wanted = F.log_softmax(teacher / temperature, dim=-1)
    kl = F.kl_div(said, wanted, reduction="batchmean", log_target=True)
    return kl * temperature**2


def flags(space: Space, at: Mapping[str, Any]) -> str:
    """`TTFF`: whether each skippable sub-path is skipped, in the network's order, as the paper writes it."""
    return "".join("F" if at.get(name, False) else "T" for name in space.CHOICES)


def settings_table(
    trainer: Trainer, space: Space, fitting: Batches | None, testing: Batches
) -> str:
    """Every setting of the flags with its cost and accuracy, the super-net first; the first 1,024 of very many."""
    net: Any = trainer.evaluated
    metric = trainer.task.metrics[0]
    found = sorted(islice(space.every(), MOST_SETTINGS), key=lambda at: -space.macs(at))
    rows = []
    for at in found:
        plan = calibrated(net, net.plan(at), fitting)
        score = evaluate(net, plan, testing, trainer.task, trainer.world)
        rows.append(
            [
                flags(space, at),
                amount(space.macs(at)),
                amount(space.params(at)),
                metric.shown(score.value),
            ]
        )
    return table(["skipped", "MACs", "params", f"test {metric.name}"], rows)
