"""What every method's step stands on: mixed precision, several processes, clipping, averaging; and a watch on every
loss: a run that meets NaN or Inf stops before its checkpoint is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from specc.runtime.data.images import Inputs, each_input
from specc.runtime.run.distributed import World, warn
from specc.runtime.train import checkpoint
from specc.runtime.train.checkpoint import check_finite, check_network, few, fill, renewed
from specc.runtime.train.interfaces import Memory, Task
from specc.runtime.train.optim import restore_optimizer
from specc.runtime.train.several import in_float32

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


class Trainer:
    """Runs the passes of a step, then the update. One step is

        for plan in trainer.passes(plans):
            trainer.backward(loss of trainer.forward(images, plan))
        trainer.update()

    Several sub-networks add their gradients before the one update. `memory` is what the method keeps from one step
    to the next, where it keeps anything. With `parts` above 1 the images of so many steps are one batch: the mean of
    their gradients makes one update, at the last of them.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: Optimizer,
        schedule: LRScheduler,
        task: Task,
        world: World,
        *,
        amp: bool = False,
        clip: float = 0.0,
        ema: float = 0.0,
        parts: int = 1,
    ) -> None:
        self.net = net
        self.optimizer = optimizer
        self.schedule = schedule
        self.task = task
        self.criterion = task.criterion
        self.distance, self.entropy = task.distance, task.entropy
        self.world = world
        self.clip = clip
        self.parts = parts
        self.part = 0
        self.plan: Any = None
        self.seen: list[tuple[Any, Tensor]] = []
        self.average = Average(net, ema) if ema else None
        self.memory: Memory | None = None
        self.amp = amp
        kind = world.device.type
        bfloat = kind != "cuda" or torch.cuda.is_bf16_supported()
        self.amp_dtype = torch.bfloat16 if bfloat else torch.float16
        # Only half floats need their losses scaled: bfloat16 has float32's range.
        self.scaler = torch.amp.GradScaler(kind, enabled=amp and not bfloat)
        self.parallel: DistributedDataParallel | None = None
        if world.size > 1:
            # A sub-network leaves parameters out; a network without choices (and so without `plan`)
            # does not. Norm statistics are the first process's when it comes to evaluating.
            elastic = hasattr(net, "plan")
            self.parallel = DistributedDataParallel(
                net, find_unused_parameters=elastic, broadcast_buffers=False
            )

    def watched(
        self,
        batches: Iterable[tuple[Inputs, Tensor]],
        epoch: int,
        folder: Path,
        first: int = 0,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[Inputs, Tensor]]:
        """The batches of an epoch, which are those from number `first` on; none any more after an update with `stop()`.

        Exits after a step in which a loss was NaN or infinite, and keeps its batch in `folder`.
        """
        watch = Watch(self.world, folder)
        for number, batch in enumerate(batches, first * self.parts):
            self.seen = []
            rate = self.optimizer.param_groups[0]["lr"]
            yield batch
            watch.see(epoch, number, rate, batch, self.seen)
            if not self.part and stop():
                break
        watch.finish(self.net)

    def passes(self, plans: Sequence[Any]) -> Iterator[Any]:
        """The plans of one step. The processes exchange their gradients after the last one's backward pass only."""
        if self.part == 0:
            self.optimizer.zero_grad(set_to_none=True)
        complete = self.part == self.parts - 1
        for i, plan in enumerate(plans):
            alone = self.parallel is not None and not (complete and i == len(plans) - 1)
            self.plan = plan
            with self.parallel.no_sync() if alone and self.parallel else nullcontext():
                yield plan

    def forward(self, images: Inputs, plan: Any) -> Any:
        """The output in float32, such as logits (B, classes), from inputs such as images (B, C, H, W) of the full
        resolution; a dict of outputs where the network returns several."""
        with torch.autocast(self.world.device.type, self.amp_dtype, enabled=self.amp), one_image():
            output = run(self.parallel or self.net, images, plan)
        return in_float32(output)

    def outputs(self, images: Inputs, plan: Any) -> dict[str, Tensor]:
        """The outputs that the plan asks for, by name, in float32."""
        with torch.autocast(self.world.device.type, self.amp_dtype, enabled=self.amp), one_image():
            found: Any = run(self.parallel or self.net, images, plan)
        return {name: value.float() for name, value in found.items()}

    def backward(self, loss: Tensor) -> None:
        self.seen.append((self.plan, loss.detach()))
        self.scaler.scale(loss / self.parts).backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """One step of the optimizer, the schedule and the moving average, once all parts of a batch are in."""
        self.part = (self.part + 1) % self.parts
        if self.part:
            return
        if self.clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.net)

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return int(self.schedule.last_epoch)

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate and to keep: the moving average where there is one."""
        return self.net if self.average is None else self.average.module

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on. Holds no plans."""
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "memory": None if self.memory is None else self.memory.state(),
        }

    def restore(self, saved: dict[str, Any], steps: int = 0, only_weights: bool = False) -> None:
        """Continues from a checkpoint, which holds `state()`. Exits where it is corrupt or of a different network.

        `steps` are those of an epoch now: a run that goes on with another batch size is as many epochs old. With
        `only_weights` nothing is trained any more, and how it was trained is of no matter.
        """
        saved = {**renewed(self.net, saved)}
        check_network(self.net, saved)
        check_finite(saved)
        fill(self.net, saved["net"])
        if self.average is not None and saved["average"] is not None:
            fill(self.average.module, saved["average"]["net"])
            self.average.updates = saved["average"]["updates"]
        elif saved["average"] is not None and only_weights:
            fill(self.net, saved["average"]["net"])
        elif (saved["average"] is None) != (self.average is None) and not only_weights:
            raise SystemExit("the checkpoint and this run disagree on --model-ema")
        elif self.average is not None:
            fill(self.average.module, saved["net"])
        if self.memory is not None and saved.get("memory") is not None:
            restore_memory(self.memory, saved["memory"])
        if only_weights:
            return
        restore_optimizer(self.optimizer, saved["optimizer"])
        if saved["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(saved["scaler"])
        # The rate is a function of the step alone, so that a run may be resumed with another number of epochs.
        done, epoch = saved["schedule"]["last_epoch"], saved["epoch"]
        self.schedule.last_epoch = epoch * steps + saved.get("batch", 0) if steps else done
        if "recipe" not in saved and epoch and done != self.schedule.last_epoch:
            warn(
                f"the batch size was another one, {done / epoch:g} steps an epoch then, {steps} now: "
                "the schedule and the place in it are counted in epochs"
            )
        factors = self.schedule.lr_lambdas  # type: ignore[attr-defined]
        for group, base, factor in zip(
            self.optimizer.param_groups, self.schedule.base_lrs, factors, strict=True
        ):
            group["lr"] = base * factor(self.schedule.last_epoch)


def restore_memory(memory: Memory, state: Any) -> None:
    """What the method has kept. Exits where that is corrupt."""
    try:
        memory.restore(state)
    except (TypeError, KeyError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise SystemExit(f"what the method keeps in the checkpoint is corrupt: {error}") from None


@contextmanager
def one_image() -> Iterator[None]:
    """Exits with a plain message where torch's batch norm says that one value of each channel has no variance."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise SystemExit(
            "a batch norm sees one value of each channel, which has no variance: "
            "give every process two images or more (--batch-size, --accumulate)"
        ) from None


def run(net: Any, images: Inputs, plan: Any = None) -> Tensor:
    """The network's output; a network without choices takes no plan."""
    inputs = each_input(images)
    logits: Tensor = net(*inputs) if plan is None else net(*inputs, plan)
    return logits


class Average(AveragedModel):
    """An exponential moving average of the weights, by torch's own class; counts are copied.

    Early on it forgets faster, which is all that is added: at update n the decay is min(decay, (1 + n) / (10 + n)).
    """

    module: nn.Module

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__(net, multi_avg_fn=self.blend, use_buffers=True)
        self.requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @property
    def updates(self) -> int:
        """How often it was updated: torch's count, which also holds the first copy."""
        return int(self.n_averaged) - 1

    @updates.setter
    def updates(self, count: int) -> None:
        self.n_averaged.fill_(count + 1)

    def blend(self, mine: Sequence[Tensor], theirs: Sequence[Tensor], _: Tensor | int) -> None:
        """Moves some tensors of one type towards the network's. The count is this one's, which no GPU is asked for."""
        if not mine[0].is_floating_point():
            for own, new in zip(mine, theirs, strict=True):
                own.copy_(new)
            return
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        get_ema_multi_avg_fn(decay)(mine, theirs, None)  # type: ignore[no-untyped-call]

    def state(self) -> dict[str, Any]:
        return {"net": self.module.state_dict(), "updates": self.updates}
