"""Augmentation that moves an image and its target together: masks, boxes and images that are to be restored.

Every word draws its random numbers anew for the targets, from where it drew those of the images: both are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from elastic.data import augment
from elastic.data.arrays import unit
from elastic.data.targets import NOT_JUDGED

MOVED: Final = ("pixels", "boxes", "restored")
"""The kinds of targets that move with their image."""

Finish: TypeAlias = Callable[[Sequence[Tensor], Tensor, str], tuple[tuple[Tensor, ...], Tensor]]
"""From the inputs and targets of a batch, and the targets' kind, to those after augmentation."""


def together_augmentation(words: Sequence[Mapping[str, Any]]) -> Finish:
    """The words that work on batches, one after another, each on every input and on the targets that move with them."""
    batched = [word for word in words if word["name"] not in augment.PER_IMAGE]
    steps = [augment.single(word) for word in batched]

    def apply(
        inputs: Sequence[Tensor], targets: Tensor, kind: str
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        made = [*inputs]
        size = next((x.shape[-2:] for x in made if x.dim() == 4), None)
        for word, step in zip(batched, steps, strict=True):
            start = torch.get_rng_state()
            for i, x in enumerate(made):
                if x.dim() == 4:
                    torch.set_rng_state(start)
                    made[i] = step(x)
            if kind in MOVED and size is not None:
                after = torch.get_rng_state()
                torch.set_rng_state(start)
                targets = moved(word, targets, kind, (size[0], size[1]))
                torch.set_rng_state(after)
        return tuple(made), targets

    return apply


def moved(word: Mapping[str, Any], targets: Tensor, kind: str, size: tuple[int, int]) -> Tensor:
    """Targets of images of `size` after one word; colours and noise do not move them."""
    if word["name"] not in ("flip", "crop", "affine"):
        return targets
    if kind == "boxes":
        return moved_boxes(word, targets, size)
    if kind == "restored":
        if word["name"] != "crop":
            return augment.single(word)(unit(targets))
        scale = targets.shape[-1] // size[1]
        return augment.crop(targets, int(word["padding"]), scale=scale)
    masks = targets[:, None]
    match word["name"]:
        case "flip":
            return augment.flip(masks)[:, 0]
        case "crop":
            return augment.crop(masks, int(word["padding"]), outside=NOT_JUDGED)[:, 0]
    # What comes in from outside is zero: classes from -255 to 0 make that the class that is not judged.
    degrees, scaling, shift, shear = (
        float(word[what]) for what in ("degrees", "scale", "shift", "shear")
    )
    found = augment.affine(
        masks.float() - NOT_JUDGED, degrees, scaling, shift, shear, mode="nearest"
    )
    return (found + NOT_JUDGED).round()[:, 0].to(targets.dtype)


def moved_boxes(word: Mapping[str, Any], boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (B, most, 5) of images (height, width) after a flip or crop, by the random numbers of both."""
    batch, (height, width) = len(boxes), size
    made = boxes.clone()
    if word["name"] == "flip":
        chosen = (torch.rand(batch) < 0.5).to(boxes.device)[:, None]
        made[..., 0] = torch.where(chosen, 1 - boxes[..., 2], boxes[..., 0])
        made[..., 2] = torch.where(chosen, 1 - boxes[..., 0], boxes[..., 2])
    else:
        padding = int(word["padding"])
        down, right = torch.randint(0, 2 * padding + 1, (2, batch, 1)).to(boxes.device)
        made[..., 0:4:2] += ((padding - right) / width)[..., None]
        made[..., 1:4:2] += ((padding - down) / height)[..., None]
    made[..., 4] = boxes[..., 4]
    return torch.stack([kept_boxes(row[row[:, 4] >= 0], len(row)) for row in made])


def kept_boxes(rows: Tensor, most: int) -> Tensor:
    """Boxes (n, 5) cut off at the edges of the image, those outside left out, as (most, 5): -1 for no more.

    A box is its left, top, right and bottom, as shares of the image's width and height, and its class.
    """
    corners = rows[:, :4].clamp(0, 1)
    seen = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    made = rows.new_full((most, 5), -1)
    kept = torch.cat([corners, rows[:, 4:]], dim=1)[seen]
    made[: len(kept)] = kept
    return made
