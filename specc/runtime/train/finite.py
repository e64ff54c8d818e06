"""NaN and Inf: every loss is looked at, and a run that meets one stops, before its checkpoint is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from specc.runtime.data.images import Inputs, each_input
from specc.runtime.run.distributed import World
from specc.runtime.train import checkpoint
from specc.runtime.train.checkpoint import few

EVIDENCE: Final = "not_finite.pt"
"""What the last batch is kept in."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step as it was: its place, the learning rate, the batch, and the loss of every sub-network.

    `losses` may still be on their way from the device: `arrived`, an event of a GPU, tells.
    """

    epoch: int
    number: int
    rate: float
    batch: tuple[Inputs, Tensor]
    plans: Sequence[Any]
    losses: Tensor
    arrived: Any = None


class Watch:
    """Looks at the losses of every step. On a GPU at those of the step before, so that no step waits for the device."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.last: Step | None = None

    def see(
        self, epoch: int, number: int, rate: float, batch: tuple[Inputs, Tensor], seen: list[Any]
    ) -> None:
        """Takes in a step; `seen` are its (plan, loss) pairs. Exits where a loss is not finite."""
        if not seen:
            return
        losses = torch.stack([loss for _, loss in seen])
        arrived = None
        if losses.device.type == "cuda":
            losses = losses.to("cpu", non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        before = self.last
        self.last = Step(epoch, number, rate, batch, [plan for plan, _ in seen], losses, arrived)
        checked = self.last if arrived is None else before
        if checked is not None:
            self.check(checked)

    def finish(self, net: nn.Module) -> None:
        """Looks at what is left of an epoch: the last step, and the weights that it made. Exits as `see` does."""
        if self.last is None:
            return
        self.check(self.last)
        if broken := not_finite(net):
            step = self.last
            kept = self.keep(step, None, float(step.losses[0]))
            raise SystemExit(
                f"epoch {step.epoch + 1}, after step {step.number + 1}, at a learning rate of {step.rate:g}: the "
                f"network's {few(broken)} {'is' if len(broken) == 1 else 'are'} NaN or infinite. "
                f"The last batch is in {kept}, checkpoint.pt stays as it was"
            )

    def check(self, step: Step) -> None:
        if step.arrived is not None:
            step.arrived.synchronize()
        finite = step.losses.isfinite().tolist()
        if all(finite):
            return
        place = finite.index(False)
        at = getattr(step.plans[place], "assignment", None)
        loss = float(step.losses[place])
        which = "the network" if at is None else str(step.plans[place])
        kept = self.keep(step, at, loss)
        raise SystemExit(
            f"epoch {step.epoch + 1}, step {step.number + 1}: the loss of {which} is {loss}, at a learning rate of "
            f"{step.rate:g}. The batch is in {kept}, checkpoint.pt stays as it was"
        )

    def keep(self, step: Step, at: Any, loss: float) -> Path:
        """Writes the batch and the place down; every process its own."""
        rank = self.world.rank
        path = self.folder / (EVIDENCE if not rank else f"{rank}.{EVIDENCE}")
        inputs, labels = step.batch
        checkpoint.save(
            path,
            {
                "epoch": step.epoch,
                "step": step.number,
                "lr": step.rate,
                "at": None if at is None else dict(at),
                "loss": loss,
                "losses": step.losses.tolist(),
                "inputs": [x.detach().cpu() for x in each_input(inputs)],
                "labels": labels.detach().cpu(),
            },
        )
        return path


def not_finite(net: nn.Module) -> list[str]:
    """The weights and norm statistics that are not finite, by name. Waits for the device once."""
    state = {name: value for name, value in net.state_dict().items() if value.is_floating_point()}
    if not state or bool(torch.stack([value.isfinite().all() for value in state.values()]).all()):
        return []
    return [name for name, value in state.items() if not checkpoint.all_finite(value)]
