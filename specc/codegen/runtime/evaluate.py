"""Evaluating sub-networks: calibrate the norms, then count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from specc.codegen.runtime.calibrate import calibrate
from specc.codegen.runtime.distributed import World, total
from specc.codegen.runtime.interfaces import Batches
from specc.codegen.runtime.trainer import run


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy as a share, mean cross-entropy, and the number of images behind both."""

    accuracy: float
    loss: float
    images: int


@torch.no_grad()
def evaluate(net: Any, plan: Any, batches: Batches, world: World) -> Score:
    """Counts right answers over all processes' batches. The network's training mode is left as it was."""
    was_training = net.training
    net.eval()
    counts = torch.zeros(3, dtype=torch.float64, device=world.device)
    for images, labels in batches:
        logits = run(net, images, plan).float()
        right = (logits.argmax(dim=-1) == labels).sum()
        loss = F.cross_entropy(logits, labels, reduction="sum")
        counts += torch.stack(
            (right.double(), loss.double(), torch.tensor(float(len(labels))).to(right.device))
        )
    net.train(was_training)
    right, loss, images = total(counts, world).tolist()
    return Score(right / max(1.0, images), loss / max(1.0, images), int(images))


def calibrated(net: nn.Module, plan: Any, batches: Batches | None) -> Any:
    """The plan with norm statistics of its own, measured on these images; as it is where there are none.

    Exits where the images are too few to measure by.
    """
    if plan is None or batches is None:
        return plan
    try:
        return calibrate(net, plan, batches)
    except ValueError as error:
        raise SystemExit(str(error)) from None
