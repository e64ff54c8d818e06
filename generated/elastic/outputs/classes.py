"""`classes 10`: one class for each image. Cross-entropy, accuracy, and the Kullback-Leibler divergence to a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from elastic.data.images import Data
from elastic.train.interfaces import Recipe
from elastic.train.losses import chosen, classified, divergence, entropy
from elastic.train.scores import ACCURACY, Metric, Score


@dataclass(frozen=True)
class Classes:
    """Outputs are logits (B, classes); targets are classes (B), or shares of all classes (B, classes)."""

    count: int
    loss: Mapping[str, Any] = field(default_factory=dict)
    label_smoothing: float = 0.0

    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal")
    mixed: ClassVar[tuple[str, ...]] = ("mixup", "cutmix")
    kind: ClassVar[str] = "classes"
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY,)
    sums: ClassVar[int] = 4

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Classes:
        if recipe is None:
            return self
        return replace(
            self,
            loss=chosen(recipe, self.losses, self.mixed),
            label_smoothing=recipe.label_smoothing,
        )

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        return classified(output, targets, self.loss, self.label_smoothing)

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        return divergence(output, teacher, temperature)

    def entropy(self, teacher: Tensor) -> Tensor:
        return entropy(teacher)

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """Right predictions, the sum of the cross-entropies, images, and those whose logits are not finite."""
        finite = output.isfinite().all(dim=-1)
        right = ((output.argmax(dim=-1) == targets) & finite).sum()
        loss = F.cross_entropy(output, targets, reduction="sum")
        images = torch.tensor(float(len(targets)), device=output.device)
        return torch.stack([n.double() for n in (right, loss, images, (~finite).sum())])

    def score(self, counted: Tensor) -> Score:
        right, loss, images, broken = counted.tolist()
        return Score(right / max(1.0, images), loss / max(1.0, images), int(images), int(broken))
