"""Checkpoints: plain tensors, numbers and text, written whole or not at all."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .whole import whole_file


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes beside the file, then renames: whoever reads, at any time, finds a whole checkpoint."""
    with whole_file(path) as file:
        torch.save(content, file)


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Reads what `save` wrote; runs no code from the file. Exits with a plain message where there is none."""
    if not path.is_file():
        raise SystemExit(f"there is no checkpoint {path}: run train.py first, or name one")
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise SystemExit(f"{path} is no checkpoint of train.py: {reason}") from None
    if not isinstance(content, dict) or not {"net", "average"} <= content.keys():
        raise SystemExit(f"{path} is no checkpoint of train.py: it holds something else")
    return content


def trained(net: nn.Module, content: dict[str, Any]) -> None:
    """Gives a network the weights to evaluate: the moving average's where the run kept one."""
    average = content["average"]
    fill(net, content["net"] if average is None else average["net"])


def fill(net: nn.Module, state: dict[str, Any]) -> None:
    """Gives a network these weights. Exits where they are of another one."""
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise SystemExit(
            f"the checkpoint is of another network, train this one first: {first}"
        ) from None


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> random.Random:
    """Starts every source of randomness from (seed, epoch), and returns the one that sub-networks are drawn from.

    Each epoch is thereby a function of the weights it starts with: resuming repeats it exactly, whatever ran before.
    Torch's own generators (dropout, augmentation) differ between processes; the drawn sub-networks do not.
    """
    mixed = random.Random(f"{seed}/{epoch}").getrandbits(31)
    torch.manual_seed(mixed + rank)
    random.seed(mixed + rank)
    return random.Random(f"{seed}/{epoch}/subnets")
