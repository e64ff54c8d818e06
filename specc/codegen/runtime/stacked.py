"""Networks of several inputs, on data sets of one image: the image holds the channels of all inputs, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.codegen.runtime.images import Data

Shape = tuple[int, int, int]


class Cut:
    """A hook that turns one stacked image (B, C, H, W) into the inputs, of which `shapes` has (C, H, W)."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.shapes = tuple(shapes)

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        images, *rest = args
        if not isinstance(images, Tensor) or any(isinstance(other, Tensor) for other in rest):
            return None  # the inputs one by one, or while a sub-network is being bound
        return (*self.inputs(images), *rest)

    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """The inputs, contiguous. One that is smaller than the largest is resized to its own size."""
        parts = torch.split(images, [channels for channels, _, _ in self.shapes], dim=1)
        return tuple(
            part.contiguous()
            if (height, width) == largest(self.shapes)
            else resized(part, height, width)
            for part, (_, height, width) in zip(parts, self.shapes, strict=True)
        )


def take_stacked(net: nn.Module, shapes: Sequence[Shape]) -> None:
    """From now on `net` takes one stacked image in the place of its inputs, too."""
    net.register_forward_pre_hook(Cut(shapes))


def check_stacked(data: Data, shapes: Sequence[Shape]) -> None:
    """Exits where the images do not hold the inputs' channels."""
    wanted = sum(channels for channels, _, _ in shapes)
    found = None if data.train.pixels is None else data.train.pixels.shape[1]
    if found != wanted:
        brought = "has files of images" if found is None else f"has images of {found} channels"
        raise SystemExit(
            f"{data.name} {brought}; the inputs of this network have {wanted} channels together: "
            "see `data own` in README.md"
        )


def largest(shapes: Sequence[Shape]) -> tuple[int, int]:
    """Height and width of the largest input."""
    return max(height for _, height, _ in shapes), max(width for _, _, width in shapes)


def resized(images: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(
        images, (height, width), mode="bilinear", align_corners=False, antialias=True
    )
