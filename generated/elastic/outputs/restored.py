"""`restores image(3)`: a better image of the one that comes in. The absolute difference and the peak signal-to-noise
ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from elastic.data.images import Data
from elastic.train.interfaces import Recipe
from elastic.train.losses import at_size, chosen, regressed
from elastic.train.scores import Metric, Score

LEAST = 1e-10
"""The smallest mean squared error that is told from none: 100 dB."""


@dataclass(frozen=True)
class Restored:
    """Outputs are images (B, C, H, W) from 0 to 1; targets such, or bytes. They are `scale` times as high and wide as
    the inputs.

    Where a sub-network takes smaller images, its outputs are brought to the targets' size.
    """

    count: int
    scale: int = 1
    loss: Mapping[str, Any] = field(default_factory=dict)

    losses: ClassVar[tuple[str, ...]] = ("l1", "mse", "huber")
    kind: ClassVar[str] = "restored"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("psnr", "PSNR", share=False, unit="dB"),)
    sums: ClassVar[int] = 4

    def fitted(self, data: Data, recipe: Recipe | None = None) -> Restored:
        return self if recipe is None else replace(self, loss=chosen(recipe, self.losses))

    def criterion(self, output: Tensor, targets: Tensor) -> Tensor:
        return regressed(at_size(output, targets), from_bytes(targets), self.loss, "l1")

    def distance(self, output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """The mean squared difference: a temperature has nothing to soften."""
        return regressed(at_size(output, teacher), teacher, {}, "mse")

    def entropy(self, teacher: Tensor) -> float:
        return 0.0

    def counted(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sums over images of 10 log10(1 / mse), of what is shown from 0 to 1, and of the losses; images, and those
        with an output that is not finite, which count as black."""
        made, wanted = at_size(output, targets), from_bytes(targets)
        finite = made.isfinite().flatten(1).all(dim=1)
        seen = torch.where(finite[:, None, None, None], made, 0.0).clamp(0, 1).double()
        errors = (seen - wanted).square().flatten(1).mean(dim=1).clamp(min=LEAST)
        images = errors.new_tensor(float(len(targets)))
        loss = regressed(made, wanted, self.loss, "l1").double() * images
        return torch.stack([(-10 * errors.log10()).sum(), loss, images, (~finite).sum().double()])

    def score(self, counted: Tensor) -> Score:
        ratio, loss, images, broken = counted.tolist()
        return Score(ratio / max(1.0, images), loss / max(1.0, images), int(images), int(broken))


def from_bytes(images: Tensor) -> Tensor:
    """Bytes as numbers from 0 to 1; floats as they are."""
    return images if images.is_floating_point() else images / 255
