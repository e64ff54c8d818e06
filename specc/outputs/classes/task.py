"""`classes 10`: one class for each image. Cross-entropy, accuracy, and the Kullback-Leibler divergence to a teacher."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from specc.runtime.train.interfaces import Recipe
from specc.runtime.train.scores import Metric, Score


@dataclass(frozen=True)
class Classes:
    """Outputs are logits (B, classes); targets are classes (B), or shares of all classes (B, classes)."""

    count: int
    label_smoothing: float = 0.0

    kind: ClassVar[str] = "classes"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("accuracy", "accuracy"),)
    sums: ClassVar[int] = 4

    def trained_by(self, recipe: Recipe) -> Classes:
        return replace(self, label_smoothing=recipe.label_smoothing)

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets, label_smoothing=self.label_smoothing)

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """T^2 KL(softmax(teacher / T) || softmax(output / T)), the mean over the batch.

        Its gradient is that of the soft cross-entropy; the factor T^2 keeps the gradient's size.
        """
        said = F.log_softmax(output / temperature, dim=-1)
        wanted = F.log_softmax(teacher / temperature, dim=-1)
        kl = F.kl_div(said, wanted, reduction="batchmean", log_target=True)
        return kl * temperature**2

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """Right predictions, the sum of the losses, images, and those whose logits are not finite."""
        finite = output.isfinite().all(dim=-1)
        right = ((output.argmax(dim=-1) == targets) & finite).sum()
        loss = F.cross_entropy(output, targets, reduction="sum")
        images = torch.tensor(float(len(targets)), device=output.device)
        return torch.stack(
            [right.double(), loss.double(), images.double(), (~finite).sum().double()]
        )

    def score(self, counted: Tensor) -> Score:
        right, loss, images, broken = counted.tolist()
        return Score(right / max(1.0, images), loss / max(1.0, images), int(images), int(broken))
