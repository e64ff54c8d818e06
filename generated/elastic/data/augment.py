"""Augmentation: words of the spec's `augment=[...]`, most of them for a whole batch at once; batches of mixed images:
mixup (Zhang et al., 2018) and cutmix (Yun et al., 2019).

Random numbers come from torch's CPU generator, so that a seed means the same on every device.

torchvision.transforms.v2 has MixUp and CutMix as well. They mix each image with its neighbour in the batch, which under
repeated augmentation is another view of itself; they take no vectors, and of several inputs mix the first one alone, or
refuse them where their sizes differ. So batches are mixed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Beta

from elastic.data.images import Inputs, each_input, together

Augmentation: TypeAlias = Callable[[Tensor], Tensor]
"""From images (B, C, H, W) of floats in 0..1 to others of the same shape."""

PER_IMAGE = ("resized_crop", "color_jitter", "randaugment", "autoaugment", "trivialaugment")
"""Words that work on single images of bytes, before these are a batch."""


def single(word: Mapping[str, Any]) -> Augmentation:
    """One word. Raises ValueError where it is unknown."""
    match word["name"]:
        case "flip":
            return flip
        case "crop":
            return lambda images: crop(images, int(word["padding"]))
        case "affine":
            return lambda images: affine(
                images,
                float(word["degrees"]),
                float(word["scale"]),
                float(word["shift"]),
                float(word["shear"]),
            )
        case "lighting":
            return lambda images: lighting(images, float(word["strength"]))
        case "erase":
            return lambda images: erase(images, float(word["probability"]))
        case name:
            raise ValueError(f"unknown augmentation {name!r}")


def flip(images: Tensor) -> Tensor:
    """Every second image, by chance, left-right."""
    chosen = (torch.rand(len(images)) < 0.5).to(images.device)
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def crop(images: Tensor, padding: int, outside: int = 0, scale: int = 1) -> Tensor:
    """Each image shifted by up to `padding` pixels either way; what comes in from outside is black, or `outside`.

    Images that are `scale` times as large as others are shifted by as many times as much.
    """
    batch, _, height, width = images.shape
    padded = F.pad(images, (scale * padding,) * 4, value=outside)
    down, right = scale * torch.randint(0, 2 * padding + 1, (2, batch, 1))
    rows = (down + torch.arange(height)).to(images.device)
    columns = (right + torch.arange(width)).to(images.device)
    which = torch.arange(batch, device=images.device)
    # Advanced indices around a slice put the channels last.
    return padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2
    )


def affine(
    images: Tensor,
    degrees: float,
    scale: float,
    shift: float,
    shear: float = 0.0,
    mode: str = "bilinear",
) -> Tensor:
    """Each image rotated, scaled, shifted (a share of its size) and slanted by a random amount; outside is black."""
    batch, _, height, width = images.shape
    turn, size, slant, right, down = torch.rand(5, batch) * 2 - 1
    angle = turn * math.radians(degrees)
    size = 1 + size * scale
    slant = torch.tan(slant * math.radians(shear))
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    # Rows of the map from output to input, in coordinates -1..1; a wide image is turned as a square one.
    aspect = width / height
    x = torch.stack((cos, (cos * slant - sin) / aspect, right * 2 * shift), dim=1)
    y = torch.stack((sin * aspect, sin * slant + cos, down * 2 * shift), dim=1)
    grid = F.affine_grid(torch.stack((x, y), dim=1), list(images.shape), align_corners=False)
    grid = grid.to(images.device, images.dtype)
    return F.grid_sample(images, grid, mode=mode, align_corners=False)


COLOURS = (
    (0.2175, (-0.5675, -0.5808, -0.5836)),
    (0.0188, (0.7192, -0.0045, -0.6948)),
    (0.0045, (0.4009, -0.8140, 0.4203)),
)
"""The principal components of the colours of ImageNet's pixels, red, green and blue in 0..1: variance, direction."""


def lighting(images: Tensor, strength: float) -> Tensor:
    """Each image's colours (B, 3, H, W) shifted along their principal components (Krizhevsky et al., 2012)."""
    scales = torch.tensor([scale for scale, _ in COLOURS])
    directions = torch.tensor([direction for _, direction in COLOURS])
    shift = (torch.randn(len(images), 3) * strength * scales) @ directions
    return images + shift.to(images.device, images.dtype)[:, :, None, None]


def erase(images: Tensor, probability: float) -> Tensor:
    """In some images a rectangle of 2-33 % of the area becomes noise (Zhong et al., 2020)."""
    batch, channels, height, width = images.shape
    images = images.clone()
    for i in torch.nonzero(torch.rand(batch) < probability).flatten().tolist():
        area, stretch, top, left = torch.rand(4).tolist()
        area = (0.02 + 0.31 * area) * height * width
        ratio = math.exp((2 * stretch - 1) * math.log(1 / 0.3))
        rows = min(height, max(1, round(math.sqrt(area * ratio))))
        columns = min(width, max(1, round(math.sqrt(area / ratio))))
        y, x = int(top * (height - rows + 1)), int(left * (width - columns + 1))
        images[i, :, y : y + rows, x : x + columns] = torch.rand(channels, rows, columns).to(
            images.device
        )
    return images


class ResizedCrop:
    """A random part of at least the share `smallest` of an image's area, resized to `size` (height, width).

    Parts are between 3/4 and 4/3 times as wide, for their height, as `size` is - or, with `whole`, as the image is,
    where images are stretched to `size` when they are evaluated.
    """

    def __init__(self, size: tuple[int, int], smallest: float, whole: bool) -> None:
        self.size = size
        self.smallest = smallest
        self.whole = whole

    def __call__(self, image: Any, target: Any = None) -> Any:
        """The image, and the mask or boxes that move with it where there are any."""
        from torchvision.transforms import RandomResizedCrop
        from torchvision.transforms.v2 import functional as V

        height, width = V.get_size(image) if self.whole else self.size
        ratio = [3 / 4 * width / height, 4 / 3 * width / height]
        box = RandomResizedCrop.get_params(image, [self.smallest, 1.0], ratio)
        made = V.resized_crop(image, *box, [*self.size], antialias=True)
        if target is None:
            return made
        return made, V.resized_crop(target, *box, [*self.size], antialias=True)


def image_augmentation(
    words: Sequence[Mapping[str, Any]], size: tuple[int, int], whole: bool = True
) -> list[Any]:
    """torchvision transforms for the words that work on single images, PIL's or tensors, before they have `size`.

    `whole` says that images are brought to `size` whole: see ResizedCrop.
    """
    if not any(word["name"] in PER_IMAGE for word in words):
        return []
    from torchvision.transforms import v2

    made: list[Any] = []
    for word in words:
        match word["name"]:
            case "resized_crop":
                made.append(ResizedCrop(size, float(word["smallest"]), whole))
            case "color_jitter":
                strengths = [float(word[what]) for what in ("brightness", "contrast", "saturation")]
                made.append(v2.ColorJitter(*strengths))
            case "randaugment":
                made.append(v2.RandAugment(int(word["operations"]), int(word["magnitude"])))
            case "autoaugment":
                made.append(v2.AutoAugment(v2.AutoAugmentPolicy(str(word["policy"]))))
            case "trivialaugment":
                made.append(v2.TrivialAugmentWide())
    return made


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
