"""SIGTERM, by which clusters take a machine back: the run finishes its step, writes a checkpoint and goes."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

import torch

from elastic.run.distributed import World, gather, tell, total
from elastic.run.progress import Mean

EVERY: Final = 10
"""Several processes agree on whether to stop once in so many steps."""


class Stopping:
    """Whether the run was asked to stop. As a context it listens to SIGTERM; a second one ends the process at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked = False
        self.calls = 0
        self.before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, self.hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)

    def hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        self.asked = True

    def now(self, sure: bool = False) -> bool:
        """Whether to stop here, the same in all processes, which have to ask as often as each other.

        Several processes only find out once in a while, unless they have to be `sure`.
        """
        self.calls += 1
        if self.world.size > 1 and (sure or self.calls % EVERY == 0):
            asked = torch.tensor(float(self.asked), device=self.world.device)
            return bool(total(asked, self.world))
        return self.asked and self.world.size == 1

    def leave(self, checkpoint: Path) -> NoReturn:
        """Ends the process as SIGTERM would have."""
        tell(f"terminated: --resume {checkpoint} goes on with the next step", sys.stderr)
        raise SystemExit(128 + signal.SIGTERM)


def random_state(rng: random.Random, mean: Mean, world: World) -> list[dict[str, Any]]:
    """Where each process is in its random numbers, in the middle of an epoch, and in the mean of its losses."""
    own: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "subnets": rng.getstate(),
        "loss": 0.0 if mean.total is None else float(mean.total),
        "steps": mean.count,
    }
    if world.device.type == "cuda":
        own["cuda"] = torch.cuda.get_rng_state(world.device)
    return gather([own], world)


def restore_random(states: Any, rng: random.Random, mean: Mean, world: World) -> None:
    """Goes on where `random_state` was. Processes that were not there begin anew. Exits where the state is corrupt."""
    try:
        if world.rank >= len(states):
            return
        own: Mapping[str, Any] = states[world.rank]
        torch.set_rng_state(own["torch"].cpu())
        random.setstate(listed(own["python"]))
        rng.setstate(listed(own["subnets"]))
        mean.total = torch.tensor(float(own["loss"]), dtype=torch.float64, device=world.device)
        mean.count = int(own["steps"])
        if world.device.type == "cuda" and "cuda" in own:
            torch.cuda.set_rng_state(own["cuda"].cpu(), world.device)
    except (TypeError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        raise SystemExit(f"the random numbers of the checkpoint are corrupt: {error}") from None


def listed(state: Any) -> Any:
    """A state of Python's generator, whose parts are tuples."""
    version, numbers, gauss = state
    return version, tuple(numbers), gauss
