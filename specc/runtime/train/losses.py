"""Losses that outputs of several kinds learn by, as `[train.loss]` of settings.toml names them; each is a mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from specc.runtime.data.targets import NOT_JUDGED
from specc.runtime.train.interfaces import Recipe

SETTINGS: Final[Mapping[str, str]] = {"focal": "gamma", "huber": "delta"}
"""The number that a loss needs."""


def chosen(recipe: Recipe, losses: Sequence[str], mixed: Sequence[str] = ()) -> Mapping[str, Any]:
    """The loss of a recipe, {} for the usual one. Exits where it is none of `losses`, or where images are `mixed` in a
    way that their targets cannot be."""
    loss = recipe.loss
    if loss and loss.get("name") not in losses:
        raise SystemExit(
            f"settings.toml: [train] loss = {loss.get('name')!r}; what this network predicts learns by "
            f"{', '.join(losses)}, or by a file of yours: loss=own(path=..) in the spec"
        )
    need = SETTINGS.get(loss.get("name", ""))
    if need and not isinstance(loss.get(need), (int, float)):
        raise SystemExit(f"settings.toml: [train.loss] {loss['name']} needs a number {need}")
    for name in ("mixup", "cutmix"):
        if getattr(recipe, name) and name not in mixed:
            raise SystemExit(f"{name} mixes images, and the targets of these cannot be mixed alike")
    return loss


def classified(
    logits: Tensor, targets: Tensor, loss: Mapping[str, Any], smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy or focal loss of logits (B, classes, ..) against classes (B, ..) or shares (B, classes, ..).

    The focal loss is (1 - p)^gamma times the cross-entropy -log p (Lin et al., 2017). Pixels of class 255 count for
    nothing; where there are no others it is 0.
    """
    smooth: dict[str, Any] = {"label_smoothing": smoothing, "reduction": "none"}
    if loss.get("name") != "focal":
        if targets.is_floating_point() or targets.dim() == 1:
            return F.cross_entropy(logits, targets, label_smoothing=smoothing)
        each = F.cross_entropy(logits, targets.long(), ignore_index=NOT_JUDGED, **smooth)
        return mean_of(each, targets != NOT_JUDGED)
    said = F.log_softmax(logits, dim=1)
    shares = targets
    judged = torch.ones_like(logits[:, 0], dtype=torch.bool)
    if not targets.is_floating_point():
        judged = targets != NOT_JUDGED if targets.dim() > 1 else judged
        shares = F.one_hot(targets.long() * judged, logits.shape[1]).movedim(-1, 1).to(said.dtype)
    shares = shares * (1 - smoothing) + smoothing / logits.shape[1]
    each = -(shares * (1 - said.exp()) ** float(loss["gamma"]) * said).sum(dim=1)
    return mean_of(each, judged)


def mean_of(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of those values that count; 0 where none does."""
    return (values * counted).sum() / counted.sum().clamp(min=1)


def tagged(
    logits: Tensor, targets: Tensor, loss: Mapping[str, Any], smoothing: float = 0.0
) -> Tensor:
    """Binary cross-entropy or its focal loss, of logits and targets from 0 to 1, both (B, tags)."""
    wanted = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    if loss.get("name") == "focal":
        said = logits.sigmoid()
        right = said * wanted + (1 - said) * (1 - wanted)
        each = each * (1 - right) ** float(loss["gamma"])
    return each.mean()


def regressed(output: Tensor, targets: Tensor, loss: Mapping[str, Any], usual: str) -> Tensor:
    """The mean over all numbers of the squared, absolute or Huber difference."""
    match loss.get("name", usual):
        case "l1":
            return F.l1_loss(output, targets)
        case "huber":
            return F.huber_loss(output, targets, delta=float(loss["delta"]))
    return F.mse_loss(output, targets)


def divergence(output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(output / T)) over dimension 1, the mean over all others.

    Its gradient is that of the soft cross-entropy; the factor T^2 keeps the gradient's size.
    """
    said = F.log_softmax(output / temperature, dim=1)
    wanted = F.log_softmax(teacher / temperature, dim=1)
    kl = F.kl_div(said, wanted, reduction="none", log_target=True).sum(dim=1)
    return kl.mean() * temperature**2


def entropy(teacher: Tensor) -> Tensor:
    """The entropy of softmax(teacher) over dimension 1, the mean over all others."""
    said = F.log_softmax(teacher, dim=1)
    return -(said.exp() * said).sum(dim=1).mean()


def at_size(maps: Tensor, like: Tensor) -> Tensor:
    """Maps (B, C, H, W) as high and wide as others: a sub-network of small images predicts small ones."""
    size = like.shape[-2:]
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
