"""Once-for-all's training (Cai et al., 2020): progressive shrinking, with the largest network as the teacher."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.codegen.runtime.interfaces import Passes, Space
from specc.codegen.runtime.trainer import Trainer, run
from specc.methods.ofa.step_sorting import ChannelSet, sort_channels
from specc.methods.us_net.step import soft_cross_entropy


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: which choices it lets go, its share of the epochs, and the share of the phase in which only the
    larger half of their options are drawn."""

    name: str
    share: float
    larger: float
    choices: tuple[str, ...]


class Shrinking:
    """What may shrink by now. The memory of a run: the teacher, and which phases have begun.

    released  for each choice that may shrink, whether all its options are drawn or only the larger half
    teacher   the network as it was at the end of the first phase; it answers at its largest, in eval mode
    """

    def __init__(self, path: Path, net: nn.Module) -> None:
        found = json.loads(path.read_text(encoding="utf-8"))
        self.phases = [
            Phase(**{**row, "choices": tuple(row["choices"])}) for row in found["phases"]
        ]
        self.always: tuple[str, ...] = tuple(found["always"])
        self.sets = [ChannelSet(**row) for row in found["channels"]]
        self.net = net
        self.begun: list[str] = []
        self.released: dict[str, bool] = {}
        self.teacher: nn.Module | None = None

    def state(self) -> dict[str, Any]:
        teacher = None if self.teacher is None else self.teacher.state_dict()
        return {"begun": list(self.begun), "teacher": teacher}

    def restore(self, state: dict[str, Any]) -> None:
        self.begun = list(state["begun"])
        if state["teacher"] is not None:
            self.teacher = frozen(self.net)
            self.teacher.load_state_dict(state["teacher"])

    def place(self, epoch: int, epochs: int) -> tuple[int, bool]:
        """The number of the phase that an epoch is in, and whether the larger options alone are drawn yet."""
        end = 0.0
        for number, phase in enumerate(self.phases):
            start, end = end, end + phase.share * epochs
            if epoch + 0.5 < end or number == len(self.phases) - 1:
                return number, epoch + 0.5 < start + phase.larger * phase.share * epochs
        raise ValueError("there are no phases")

    def begin(self, epoch: int, epochs: int, trainer: Trainer) -> str:
        """Prepares an epoch: lets choices go, keeps the teacher, sorts channels. Says what is new, "" for nothing."""
        number, larger = self.place(epoch, epochs)
        news = []
        for phase in self.phases[: number + 1]:
            if phase.name in self.begun:
                continue
            if phase.name != "full" and self.teacher is None:
                self.teacher = frozen(trainer.evaluated)
            fresh = [s for s in self.sets if s.is_ready(phase.choices, self.let_go_before(phase))]
            for channels in fresh:
                sort_channels(trainer, channels)
            self.begun.append(phase.name)
            plural = "set" if len(fresh) == 1 else "sets"
            sorted_ = f", {len(fresh)} {plural} of channels sorted" if fresh else ""
            news.append(f"phase {phase.name}{sorted_}")
        self.released = dict.fromkeys(self.always, True)
        for i, phase in enumerate(self.phases[: number + 1]):
            self.released.update((name, i < number or not larger) for name in phase.choices)
        return "; ".join(news)

    def let_go_before(self, phase: Phase) -> set[str]:
        """The choices of earlier phases."""
        earlier = self.phases[: self.phases.index(phase)]
        return {name for other in earlier for name in other.choices}

    def draws(self, space: Space, rng: random.Random, subnets: int) -> list[dict[str, Any]]:
        """The assignments of one step: the largest alone in the first phase, then `subnets` drawn ones.

        Choices that are always drawn (a resolution) are the same for the whole step, as the images are.
        """
        shared = {name: rng.choice(space.CHOICES[name]) for name in self.always}
        count = subnets if self.teacher is not None else 1
        return [space.canonical(self.draw(space, rng) | shared) for _ in range(count)]

    def draw(self, space: Space, rng: random.Random) -> dict[str, Any]:
        """One assignment of all choices: those let go at random, the others at their largest option."""
        at = {}
        for name, options in space.CHOICES.items():
            kept = options[-1:]
            if name in self.released:
                kept = options if self.released[name] else options[len(options) - most(options) :]
            at[name] = rng.choice(kept)
        return at

    def answers(self, images: Tensor, plans: Sequence[Any], space: Space) -> Tensor | None:
        """The teacher's logits (B, classes) at the step's resolution; None while there is none."""
        if self.teacher is None:
            return None
        teacher: Any = self.teacher
        chosen = dict(plans[0].chosen)
        at = space.largest() | {name: chosen[name] for name in self.always}
        with torch.no_grad():
            return run(teacher, images, teacher.plan(at)).float()


def most(options: Sequence[Any]) -> int:
    """How many options the larger half has: at least two, where there are two."""
    return min(len(options), max(2, (len(options) + 1) // 2))


def frozen(net: nn.Module) -> nn.Module:
    """A copy that no longer learns."""
    return copy.deepcopy(net).eval().requires_grad_(False)


def step(
    trainer: Passes,
    images: Tensor,
    labels: Tensor,
    plans: Sequence[Any],
    answers: Tensor | None,
    distill: float = 1.0,
) -> list[Tensor]:
    """Forward and backward of one step; the gradients of all passes add up. Returns the losses, in the plans' order.

    Every sub-network learns the labels and, where the teacher has answered, its answers with the weight `distill`.
    """
    losses = []
    for plan in trainer.passes(plans):
        logits = trainer.forward(images, plan)
        loss = trainer.criterion(logits, labels)
        if answers is not None:
            loss = loss + distill * soft_cross_entropy(logits, answers)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses
