"""Tiny generated networks and a plain trainer: what the tests of the methods' steps run on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.outputs.classes.task import Classes
from specc.runtime.run.distributed import World
from specc.runtime.train.interfaces import Task
from specc.runtime.train.trainer import Trainer
from tests.helpers.projects import from_text, project


def generated(spec: str, folder: Path) -> tuple[Any, ModuleType]:
    """The network of a spec, with seeded weights, and its space."""
    found = project(from_text(spec), folder)
    torch.manual_seed(0)
    return found.model.Model(), found.modules["space"]


def trainer_of(net: nn.Module, lr: float = 0.1, task: Task | None = None) -> Trainer:
    """Plain stochastic gradient descent on cross-entropy, or on the loss of a task."""
    optimizer = SGD(net.parameters(), lr=lr)
    schedule = LambdaLR(optimizer, lambda step: 1.0)
    return Trainer(net, optimizer, schedule, task or Classes(3), World(0, 1, torch.device("cpu")))


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def snapshot(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def moved(net: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """The parameters and buffers that are no longer what they were."""
    return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
