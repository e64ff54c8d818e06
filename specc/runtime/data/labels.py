"""Labels, hard or soft: an image's class as a number, or a share of every class, as mixed images have."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def soft(labels: Tensor, classes: int) -> Tensor:
    """Shares (B, classes) in float32, from classes (B); shares stay as they are."""
    return labels if labels.is_floating_point() else F.one_hot(labels, classes).float()


def coarse(labels: Tensor, table: Tensor, classes: int) -> Tensor:
    """Labels of a coarser level, as hard or soft as those given: `table[c]` is the coarse class of class c.

    Of shares (B, C), those of the classes that fall together are added up, which gives (B, classes).
    """
    table = table.to(labels.device)
    if not labels.is_floating_point():
        return table[labels]
    return labels.new_zeros(len(labels), classes).index_add_(1, table, labels)
