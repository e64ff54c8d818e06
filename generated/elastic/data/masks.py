"""Masks as people keep them: images whose pixels are class numbers, with a palette or grey."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elastic.data.folders import upright


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


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """An outline of a class: corners x, y, x, y, .. in pixels."""

    number: int
    corners: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Pixels of a class, column after column: how many are outside, then how many inside, and so on."""

    number: int
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """The shapes of an image's objects, drawn when the image is read, later ones above. `size` is (height, width)."""

    size: tuple[int, int]
    shapes: tuple[Ring | Runs, ...]

    def read(self) -> Tensor:
        """The mask (H, W) in uint8, in int64 where there are more classes: 0 where nothing is drawn.

        Raises ValueError where runs are of another size.
        """
        height, width = self.size
        made = np.zeros((height, width), np.int64)
        for shape in self.shapes:
            if isinstance(shape, Ring):
                made[within(shape.corners, height, width)] = shape.number
                continue
            if shape.counts.sum() != height * width or (shape.counts < 0).any():
                raise ValueError(
                    f"runs of {shape.counts.sum()} pixels in an image of {height}x{width}"
                )
            inside = np.repeat(np.arange(len(shape.counts)) % 2 == 1, shape.counts)
            made[inside.reshape(width, height).T] = shape.number
        return torch.from_numpy(made.astype(np.uint8) if made.max(initial=0) < 256 else made)

    def described(self) -> str:
        """What tells these shapes from others."""
        made = hashlib.sha256(repr(self.size).encode())
        for shape in self.shapes:
            numbers = shape.corners if isinstance(shape, Ring) else shape.counts
            made.update(f"{type(shape).__name__} {shape.number} {len(numbers)}".encode())
            made.update(numbers.tobytes())
        return made.hexdigest()


def within(corners: NDArray[np.float32], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels whose middle is within an outline: those with an odd number of edges on their left."""
    x, y = corners[0::2].astype(np.float64), corners[1::2].astype(np.float64)
    ends_x, ends_y = np.roll(x, -1), np.roll(y, -1)
    middles = np.arange(height)[None, :] + 0.5
    crossed = (y[:, None] <= middles) != (ends_y[:, None] <= middles)
    edges, rows = np.nonzero(crossed)
    share = (rows + 0.5 - y[edges]) / (ends_y[edges] - y[edges])
    at = x[edges] + share * (ends_x[edges] - x[edges])
    # An edge at x is on the left of the pixels from the first whose middle is beyond it.
    columns = np.ceil(at - 0.5).clip(0, width).astype(np.int64)
    counts = np.zeros((height, width + 1), np.int64)
    np.add.at(counts, (rows, columns), 1)
    inside: NDArray[np.bool_] = counts[:, :-1].cumsum(axis=1) % 2 == 1
    return inside
