"""Batches of mixed images: mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019).

Random numbers come from torch's CPU generator, so that a seed means the same on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta

from .labels import soft


@dataclass(frozen=True, slots=True)
class Mixing:
    """What happens to every batch: `mixup` and `cutmix` are the alpha of their Beta(alpha, alpha), 0 for never.

    Where both are given, a batch meets one of them, by a coin. Each image is mixed with another one of the batch.
    """

    mixup: float
    cutmix: float
    classes: int

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) and soft labels (B, classes); both as they are where nothing is mixed."""
        if not (self.mixup or self.cutmix):
            return images, labels
        pasted = bool(self.cutmix) and (not self.mixup or bool(torch.rand(()) < 0.5))
        share = float(Beta(alpha := self.cutmix if pasted else self.mixup, alpha).sample())
        others = torch.randperm(len(images)).to(images.device)
        if pasted:
            images, share = cutmix(images, images[others], share)
        else:
            images = share * images + (1 - share) * images[others]
        wanted = soft(labels, self.classes)
        return images, share * wanted + (1 - share) * wanted[others]


def cutmix(images: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
    """Images with a rectangle of the others at one random place, and the share of the area that stays.

    The rectangle has the share 1 - `share` of the area, less what of it falls outside the image.
    """
    height, width = images.shape[-2:]
    side = math.sqrt(1 - share) / 2
    y, x = (torch.rand(2) * torch.tensor([height, width])).int().tolist()
    top, bottom = max(0, y - int(side * height)), min(height, y + int(side * height))
    left, right = max(0, x - int(side * width)), min(width, x + int(side * width))
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = others[:, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)
