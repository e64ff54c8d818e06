"""`tags 20`: any number of tags at once. Binary cross-entropy, mean average precision, and the Kullback-Leibler
divergence to a teacher, tag by tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from specc.runtime.data.images import Data
from specc.runtime.train.interfaces import Recipe
from specc.runtime.train.losses import chosen, tagged
from specc.runtime.train.scores import Metric, Score


@dataclass(frozen=True)
class Tags:
    """Outputs are logits (B, tags); targets are 0 or 1, or shares between them (B, tags)."""

    count: int
    loss: Mapping[str, Any] = field(default_factory=dict)
    label_smoothing: float = 0.0

    losses: ClassVar[tuple[str, ...]] = ("bce", "focal")
    mixed: ClassVar[tuple[str, ...]] = ("mixup", "cutmix")
    kind: ClassVar[str] = "tags"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("map", "mean average precision"),)
    sums: ClassVar[int] = 0

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Tags:
        if recipe is None:
            return self
        return replace(
            self,
            loss=chosen(recipe, self.losses, self.mixed),
            label_smoothing=recipe.label_smoothing,
        )

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        return tagged(output, targets, self.loss, self.label_smoothing)

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """T^2 times the divergence of each tag's two probabilities from the teacher's: the mean over batch and tags."""
        said, wanted = output / temperature, teacher / temperature
        yes = wanted.sigmoid() * (F.logsigmoid(wanted) - F.logsigmoid(said))
        no = (-wanted).sigmoid() * (F.logsigmoid(-wanted) - F.logsigmoid(-said))
        return (yes + no).mean() * temperature**2

    def entropy(self, teacher: Tensor) -> Tensor:
        """Of each tag's two probabilities: the mean over batch and tags."""
        yes, no = F.logsigmoid(teacher), F.logsigmoid(-teacher)
        return -(yes.exp() * yes + no.exp() * no).mean()

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """A row for each image: its logits, its targets, its loss, and whether a logit is not finite."""
        finite = output.isfinite().all(dim=1, keepdim=True)
        wanted = targets.to(output.dtype)
        loss = F.binary_cross_entropy_with_logits(output, wanted, reduction="none").mean(
            dim=1, keepdim=True
        )
        return torch.cat([output, wanted, loss, (~finite).to(output.dtype)], dim=1).double()

    def score(self, counted: Tensor) -> Score:
        """The mean, over the tags that any image has, of the average precision. Broken images come last for each."""
        logits, targets = counted[:, : self.count], counted[:, self.count : 2 * self.count] > 0.5
        broken = counted[:, -1] > 0
        logits = logits.masked_fill(broken[:, None], -torch.inf)
        found = [
            average_precision(row, has) for row, has in zip(logits.T, targets.T) if bool(has.any())
        ]
        value = sum(found) / max(1, len(found))
        loss = float(counted[:, -2].mean()) if len(counted) else 0.0
        return Score(value, loss, len(counted), int(broken.sum()))


def average_precision(scores: Tensor, has: Tensor) -> float:
    """sum over thresholds n of (R_n - R_{n-1}) P_n, from the highest score down; equal scores are one threshold."""
    order = scores.argsort(descending=True, stable=True)
    scores, has = scores[order], has[order].double()
    last = torch.ones_like(has, dtype=torch.bool)
    last[:-1] = scores[:-1] != scores[1:]
    hits = has.cumsum(0)[last]
    precision = hits / (torch.arange(1, len(has) + 1)[last])
    recall = hits / hits[-1]
    return float((recall.diff(prepend=recall.new_zeros(1)) * precision).sum())
