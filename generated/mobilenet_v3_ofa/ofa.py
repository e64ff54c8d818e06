"""Once-for-all's training (Cai et al., 2020): progressive shrinking, with the largest network as the teacher."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.data.images import Inputs
from elastic.run.distributed import same_buffers
from elastic.train.interfaces import Passes, Space
from elastic.train.optim import nearest_epoch
from elastic.train.several import in_float32
from elastic.train.sorting import ChannelSet, importance, reorder
from elastic.train.trainer import Trainer, run
from ofa_shrinking import read_shrinking


@dataclass(frozen=True, slots=True)
class Stage:
    """A phase or a part of one.

    share    of the run's epochs
    subnets  that a step trains
    drawn    for each choice that the phase lets go, how many of its options may be drawn, the largest ones
    """

    phase: str
    share: float
    subnets: int
    drawn: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Channels, and how many of them, the first ones, are sorted before a stage; by the stage's number."""

    channels: ChannelSet
    sorted: Mapping[int, int]


class Shrinking:
    """What may shrink by now. The memory of a run: the teacher, and how many stages have begun.

    released  for each choice that may shrink by now, how many of its options are drawn, the largest ones
    teacher   the network as it was at the end of the first phase; it answers at its largest
    """

    def __init__(self, path: Path, space: Space, net: nn.Module) -> None:
        found = read_shrinking(path, space, net)
        self.stages = [Stage(**row) for row in found["stages"]]
        self.always: tuple[str, ...] = tuple(found["always"])
        self.sets = [
            Sorted(
                ChannelSet(row["rows"], row["columns"], row["judges"]),
                {int(stage): count for stage, count in row["sorted"].items()},
            )
            for row in found["channels"]
        ]
        self.net = net
        self.begun = 0
        self.released: dict[str, int] = {}
        self.subnets = 1
        self.teacher: nn.Module | None = None

    def state(self) -> dict[str, Any]:
        teacher = None if self.teacher is None else self.teacher.state_dict()
        return {"begun": self.begun, "teacher": teacher}

    def restore(self, state: dict[str, Any]) -> None:
        if not isinstance(state["begun"], int):
            raise SystemExit(
                "the checkpoint was trained with the phases of an earlier version: start anew"
            )
        self.begun = state["begun"]
        if state["teacher"] is not None:
            self.teacher = frozen(self.net)
            self.teacher.load_state_dict(state["teacher"])

    def place(self, epoch: int, epochs: int) -> int:
        """The number of the stage that an epoch is in. The learning rate restarts where a stage begins."""
        end = 0.0
        for number, stage in enumerate(self.stages):
            end += stage.share
            if epoch < nearest_epoch(end * epochs):
                return number
        return len(self.stages) - 1

    def begin(self, epoch: int, epochs: int, trainer: Trainer) -> str:
        """Prepares an epoch: lets choices go, keeps the teacher, sorts channels. Says what is new, "" for nothing.

        Every stage has an optimizer of its own: what it remembers of earlier gradients is dropped.
        """
        news = self.too_short(epochs) if self.begun == 0 else []
        for number in range(self.begun, self.place(epoch, epochs) + 1):
            stage = self.stages[number]
            if number > 0 and self.teacher is None:
                self.teacher = frozen(trainer.evaluated)
                same_buffers(self.teacher, trainer.world)
            fresh = [each for each in self.sets if number in each.sorted]
            for each in fresh:
                sort_channels(trainer, each.channels, each.sorted[number])
            if number > 0:
                trainer.optimizer.state.clear()
            self.begun = number + 1
            plural = "set" if len(fresh) == 1 else "sets"
            sorted_ = f", {len(fresh)} {plural} of channels sorted" if fresh else ""
            news.append(f"phase {stage.phase}{sorted_}")
        self.released = {}
        for stage in self.stages[: self.begun]:
            self.released.update(stage.drawn)
            self.subnets = stage.subnets
        return "; ".join(news)

    def too_short(self, epochs: int) -> list[str]:
        """What a run of so few epochs leaves out: stages at its end that it never comes to."""
        last = self.place(epochs - 1, epochs)
        left = ", ".join(dict.fromkeys(stage.phase for stage in self.stages[last + 1 :]))
        return [f"too few epochs for {left}: what that lets go is not trained"] if left else []

    def draws(self, space: Space, rng: random.Random) -> list[dict[str, Any]]:
        """The assignments of one step: the largest alone in the first phase, then as many as the stage trains.

        Choices that are always drawn (a resolution) are the same for the whole step, as the images are.
        """
        shared = {name: rng.choice(space.CHOICES[name]) for name in self.always}
        return [space.canonical(self.draw(space, rng) | shared) for _ in range(self.subnets)]

    def draw(self, space: Space, rng: random.Random) -> dict[str, Any]:
        """One assignment of all choices: those let go at random, the others at their largest option."""
        at = {}
        for name, options in space.CHOICES.items():
            drawn = self.released.get(name, 1)
            at[name] = rng.choice(options[len(options) - drawn :])
        return at

    def teacher_logits(self, images: Inputs, plans: Sequence[Any], space: Space) -> Any:
        """The teacher's output at the step's resolution; None while there is none."""
        if self.teacher is None:
            return None
        teacher: Any = self.teacher
        chosen = dict(plans[0].chosen)
        at = space.largest() | {name: chosen[name] for name in self.always}
        with torch.no_grad():
            return in_float32(run(teacher, images, teacher.plan(at)))


def sort_channels(trainer: Trainer, channels: ChannelSet, first: int) -> Tensor:
    """Reorders the first so many of a set of channels in the network, its moving average and its optimizer: the most
    important first.

    No sub-network that has all of them changes its output. Returns the order (C): which channel comes first, second, ..
    """
    norm = importance(trainer.net, channels)
    order = torch.arange(len(norm), device=norm.device)
    order[:first] = norm[:first].argsort(descending=True, stable=True)
    reorder(trainer.net, channels, order, trainer.optimizer)
    if trainer.evaluated is not trainer.net:
        reorder(trainer.evaluated, channels, order)
    return order


def frozen(net: nn.Module) -> nn.Module:
    """A copy that no longer learns, and answers by the statistics of each batch.

    Running statistics would mix the resolutions that it was trained at, and fit none of them. They stay as they are;
    dropout is off.
    """
    teacher = copy.deepcopy(net).eval().requires_grad_(False)
    for module in teacher.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 0.0
    return teacher


def step(
    trainer: Passes,
    images: Inputs,
    labels: Tensor,
    plans: Sequence[Any],
    teacher: Any,
    distill: float = 1.0,
) -> list[Tensor]:
    """Forward and backward of one step; the gradients of all passes add up. Returns the losses, in the plans' order.

    Every sub-network learns the labels and, where there is a teacher, with the weight `distill` its outputs.
    """
    losses = []
    for plan in trainer.passes(plans):
        output = trainer.forward(images, plan)
        loss = trainer.criterion(output, labels)
        if teacher is not None and distill:
            loss = loss + distill * trainer.distance(output, teacher)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses
