"""Evaluating a network, or a sub-network of one: right answers are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from elastic.run.distributed import World, total
from elastic.train.interfaces import Batches
from elastic.train.trainer import run


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy as a share, mean cross-entropy, and the number of images behind both.

    `broken` counts the images whose logits are NaN or infinite: the answer to these is wrong, whatever the label.
    """

    accuracy: float
    loss: float
    images: int
    broken: int = 0

    @property
    def note(self) -> str:
        """What to say behind the accuracy of broken answers; "" where there are none."""
        return f" ({self.broken} outputs are NaN or infinite)" if self.broken else ""


def summary(scores: Mapping[str, Score]) -> str:
    """The accuracies in a line: `largest 97.1%, smallest 95.3%`."""
    return ", ".join(f"{name} {score.accuracy:.1%}{score.note}" for name, score in scores.items())


def check_scores(scores: Mapping[str, Score], epoch: int) -> None:
    """Exits where a sub-network answers nothing but NaN or Inf, before its weights get into a checkpoint."""
    broken = [name for name, score in scores.items() if 0 < score.images == score.broken]
    if broken:
        raise SystemExit(
            f"epoch {epoch + 1}: all outputs of {', '.join(broken)} are NaN or infinite: the training has diverged. "
            "checkpoint.pt stays as it was"
        )


@torch.no_grad()
def evaluate(net: Any, plan: Any, batches: Batches, world: World) -> Score:
    """Counts right answers over all processes' batches. The network's training mode is left as it was."""
    was_training = net.training
    net.eval()
    counts = torch.zeros(4, dtype=torch.float64, device=world.device)
    for images, labels in batches:
        counts += counted(run(net, images, plan).float(), labels)
    net.train(was_training)
    return score_of(total(counts, world).tolist())


def counted(logits: Tensor, labels: Tensor) -> Tensor:
    """Of one batch: right answers, the sum of the losses, images, and those whose logits are not finite. Float64."""
    finite = logits.isfinite().all(dim=-1)
    right = ((logits.argmax(dim=-1) == labels) & finite).sum()
    loss = F.cross_entropy(logits, labels, reduction="sum")
    images = torch.tensor(float(len(labels)), device=logits.device)
    return torch.stack([right.double(), loss.double(), images.double(), (~finite).sum().double()])


def score_of(counts: Sequence[float]) -> Score:
    """The score of summed counts."""
    right, loss, images, broken = counts
    return Score(right / max(1.0, images), loss / max(1.0, images), int(images), int(broken))
