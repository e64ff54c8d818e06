"""Masks as people keep them: images whose pixels are class numbers, with a palette or grey."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specc.runtime.data.folders import upright


def read_mask(path: Path) -> Tensor:
    """The class numbers of a mask (H, W) in uint8, or in int64 where it has more bits.

    Raises ValueError where its pixels are colours without a palette, which say no class.
    """
    from PIL import Image

    with Image.open(path) as file:
        file.load()
        picture: Any = upright(file)
        if picture.mode == "1":
            picture = picture.convert("L").point(lambda level: level and 1)
        if picture.mode not in ("L", "P", "I;16", "I;16L", "I;16B", "I;16N", "I"):
            raise ValueError(
                f"it has colours ({picture.mode}); a mask's pixels are class numbers, grey or with a palette"
            )
        numbers = np.asarray(picture)
    if numbers.dtype == np.uint8:
        return torch.from_numpy(numbers.copy())
    return torch.from_numpy(numbers.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Polygons:
    """The outlines of an image's objects, each with its class, drawn when the image is read, later ones above.

    rings   class, and corners x, y, x, y, .. in pixels
    """

    size: tuple[int, int]
    rings: tuple[tuple[int, tuple[float, ...]], ...]

    def read(self) -> Tensor:
        """The mask (H, W) in uint8: 0 where nothing is drawn."""
        from PIL import Image, ImageDraw

        height, width = self.size
        made = Image.new("L", (width, height), 0)
        pen = ImageDraw.Draw(made)
        for number, corners in self.rings:
            pen.polygon(list(corners), fill=number)
        return torch.from_numpy(np.asarray(made).copy())
