"""`classes 21 each pixel`: a class for every pixel. Cross-entropy, mean IoU, and the Kullback-Leibler divergence to a
teacher, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from elastic.data.images import Data
from elastic.data.targets import NOT_JUDGED
from elastic.train.interfaces import Recipe
from elastic.train.losses import at_size, chosen, classified, divergence, entropy
from elastic.train.scores import Metric, Score


@dataclass(frozen=True)
class Pixels:
    """Outputs are logits (B, classes, H, W), targets classes (B, H, W); pixels of class 255 are not judged.

    Where a sub-network takes smaller images, its logits are brought to the targets' size.
    """

    count: int
    loss: Mapping[str, Any] = field(default_factory=dict)
    label_smoothing: float = 0.0

    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "focal")
    kind: ClassVar[str] = "pixels"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("iou", "mean IoU"),
        Metric("accuracy", "pixel accuracy"),
    )

    @property
    def sums(self) -> int:
        return self.count**2 + 3

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Pixels:
        if recipe is None:
            return self
        return replace(
            self, loss=chosen(recipe, self.losses), label_smoothing=recipe.label_smoothing
        )

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        return classified(at_size(output, targets), targets, self.loss, self.label_smoothing)

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        return divergence(at_size(output, teacher), teacher, temperature)

    def entropy(self, teacher: Tensor) -> Tensor:
        return entropy(teacher)

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """How many pixels of each class were predicted as each, row by row; the sum of the images' mean losses, images,
        and those with logits that are not finite: all their pixels are wrong."""
        logits, targets = at_size(output, targets), targets.long()
        finite = logits.isfinite().flatten(1).all(dim=1)
        said = logits.argmax(dim=1)
        said = torch.where(finite[:, None, None], said, (targets + 1) % self.count)
        judged = targets != NOT_JUDGED
        places = targets[judged] * self.count + said[judged]
        table = torch.bincount(places, minlength=self.count**2).double()
        loss = classified(logits, targets, {}).double() * len(targets)
        images = loss.new_tensor(float(len(targets)))
        return torch.cat([table, torch.stack([loss, images, (~finite).sum().double()])])

    def score(self, counted: Tensor) -> Score:
        """The mean, over the classes that occur or are predicted, of intersection over union."""
        table = counted[:-3].view(self.count, self.count)
        loss, images, broken = counted[-3:].tolist()
        both, either = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
        shares = (both / either)[either > 0]
        right = both.sum() / table.sum().clamp(min=1)
        return Score(
            float(shares.mean()) if len(shares) else 0.0,
            loss / max(1.0, images),
            int(images),
            int(broken),
            {"accuracy": float(right)},
        )
