"""Evaluating a network, or a sub-network of one, by the metric of its task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from elastic.run.distributed import World, gather, total
from elastic.train.interfaces import Batches, Task
from elastic.train.scores import Score
from elastic.train.several import in_float32
from elastic.train.trainer import run


@torch.no_grad()
def evaluate(net: Any, plan: Any, batches: Batches, task: Task, world: World) -> Score:
    """The score over all processes' batches. The network's training mode is left as it was."""
    was_training = net.training
    net.eval()
    counts = (
        task.counted(in_float32(run(net, inputs, plan)), targets) for inputs, targets in batches
    )
    found = together(counts, task, world)
    net.train(was_training)
    return task.score(found)


def together(counts: Iterable[Tensor], task: Task, world: World) -> Tensor:
    """What was counted in all processes' batches: added up, or, where that does not tell a score, one after another."""
    if not task.sums:
        return torch.cat([rows.cpu() for rows in gather([rows.cpu() for rows in counts], world)])
    found = torch.zeros(task.sums, dtype=torch.float64, device=world.device)
    for row in counts:
        found += row
    return total(found, world).cpu()
