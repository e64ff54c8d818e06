"""One process or several: what `torchrun` sets up, and the little that the processes tell each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class World:
    """This process among `size`; `rank` 0 alone prints and writes."""

    rank: int
    size: int
    device: torch.device

    @property
    def main(self) -> bool:
        return self.rank == 0


def tell(text: str, file: TextIO | None = None) -> None:
    """A line on standard output, or another file, of the first process alone; also before it has joined the others."""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=file, flush=True)


def warn(text: str) -> None:
    """A warning on standard error."""
    tell(f"warning: {text}", sys.stderr)


def join(device: str = "") -> World:
    """Joins the processes that torchrun started, or stands alone.

    `device` is torch's name ("cpu", "cuda:1"); "" takes a GPU if there is one.
    """
    if "RANK" not in os.environ:
        best = "cuda" if torch.cuda.is_available() else "cpu"
        return World(0, 1, usable(device or best))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    use_cuda = torch.cuda.is_available() and not device.startswith("cpu")
    if use_cuda:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if use_cuda else "gloo")
    place = torch.device("cuda", local) if use_cuda else torch.device("cpu")
    return World(dist.get_rank(), dist.get_world_size(), place)


def usable(name: str) -> torch.device:
    """A device by torch's name. Exits where this machine has none such."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise SystemExit(f"--device {name}: {reason}") from None
    return device


def leave(world: World) -> None:
    if world.size > 1 or dist.is_initialized():
        dist.destroy_process_group()


def total(values: Tensor, world: World) -> Tensor:
    """The sum over all processes, in place."""
    if world.size > 1:
        dist.all_reduce(values)
    return values


def gather(items: Sequence[Item], world: World) -> list[Item]:
    """The items of all processes, those of the first one first."""
    if world.size == 1:
        return [*items]
    parts: list[Any] = [None] * world.size
    dist.all_gather_object(parts, [*items])
    return [item for part in parts for item in part]


def same_buffers(module: torch.nn.Module, world: World) -> None:
    """Gives every process the buffers (norm statistics) of the first, so that all evaluate the same network."""
    if world.size > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)
