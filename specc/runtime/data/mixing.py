"""Batches of mixed images: mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019).

Random numbers come from torch's CPU generator, so that a seed means the same on every device.

torchvision.transforms.v2 has MixUp and CutMix as well. They mix each image with its neighbour in the batch, which under
repeated augmentation is another view of itself; they take no vectors, and of several inputs mix the first one alone, or
refuse them where their sizes differ. So batches are mixed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta

from specc.runtime.data.labels import soft
from specc.runtime.data.shapes import Inputs, each_input, together


@dataclass(frozen=True, slots=True)
class Mixing:
    """What happens to every batch: `mixup` and `cutmix` are the alpha of their Beta(alpha, alpha), 0 for never.

    Where both are given, a batch meets one of them, by a coin. Each image is mixed with another one of the batch.
    """

    mixup: float
    cutmix: float
    classes: int

    def __call__(self, batch: Inputs, labels: Tensor) -> tuple[Inputs, Tensor]:
        """Inputs, all of them mixed alike, and soft labels (B, classes); both as they are where nothing is mixed.

        Exits where a rectangle is to be pasted into vectors.
        """
        if not (self.mixup or self.cutmix):
            return batch, labels
        inputs = each_input(batch)
        if self.cutmix and any(x.dim() != 4 for x in inputs):
            raise SystemExit(
                "cutmix pastes parts of images, and an input is a vector: mixup mixes both"
            )
        pasted = bool(self.cutmix) and (not self.mixup or bool(torch.rand(()) < 0.5))
        share = float(Beta(alpha := self.cutmix if pasted else self.mixup, alpha).sample())
        others = torch.randperm(len(labels)).to(labels.device)
        if pasted:
            inputs, share = cutmix(inputs, tuple(x[others] for x in inputs), share)
        else:
            inputs = tuple(share * x + (1 - share) * x[others] for x in inputs)
        wanted = soft(labels, self.classes)
        return together(inputs), share * wanted + (1 - share) * wanted[others]


def cutmix(
    inputs: Sequence[Tensor], others: Sequence[Tensor], share: float
) -> tuple[tuple[Tensor, ...], float]:
    """Images with a rectangle of the others at one random place, and the share of the area that stays.

    The rectangle has the share 1 - `share` of the area, less what of it falls outside the image. Several inputs have
    it at the same place of theirs.
    """
    side = math.sqrt(1 - share) / 2
    where = torch.rand(2)
    mixed = []
    pasted = area = 0
    for images, theirs in zip(inputs, others, strict=True):
        height, width = images.shape[-2:]
        y, x = (where * torch.tensor([height, width])).int().tolist()
        top, bottom = max(0, y - int(side * height)), min(height, y + int(side * height))
        left, right = max(0, x - int(side * width)), min(width, x + int(side * width))
        made = images.clone()
        made[:, :, top:bottom, left:right] = theirs[:, :, top:bottom, left:right]
        mixed.append(made)
        pasted += (bottom - top) * (right - left)
        area += height * width
    return tuple(mixed), 1 - pasted / area
