"""Checkpoints: plain tensors, numbers and text, written whole or not at all."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import torch


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes beside the file, then renames: whoever reads, at any time, finds a whole checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    with aside.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Reads what `save` wrote; runs no code from the file. Exits with a plain message where there is none."""
    if not path.is_file():
        raise SystemExit(f"there is no checkpoint {path}: run train.py first, or name one")
    content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return content


def weights(content: dict[str, Any]) -> dict[str, Any]:
    """The weights to evaluate: the moving average's where the run kept one."""
    state: dict[str, Any] = (
        content["net"] if content["average"] is None else content["average"]["net"]
    )
    return state


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> random.Random:
    """Starts every source of randomness from (seed, epoch), and returns the one that sub-networks are drawn from.

    Each epoch is thereby a function of the weights it starts with: resuming repeats it exactly, whatever ran before.
    Torch's own generators (dropout, augmentation) differ between processes; the drawn sub-networks do not.
    """
    mixed = random.Random(f"{seed}/{epoch}").getrandbits(31)
    torch.manual_seed(mixed + rank)
    random.seed(mixed + rank)
    return random.Random(f"{seed}/{epoch}/subnets")
