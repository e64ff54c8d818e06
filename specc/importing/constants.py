"""Constants of a part that has no word, as Python writes them."""

from __future__ import annotations

import base64
import struct
import zlib
from functools import lru_cache
from itertools import chain
from math import prod
from typing import Final

FEW: Final = 16
"""Numbers of a constant that are written out."""


def of_one_image(
    numbers: tuple[float, ...], shape: tuple[int, ...], other: tuple[int, ...]
) -> tuple[tuple[float, ...], tuple[int, ...]] | None:
    """A constant's numbers and shape for one image, where it repeats them for all; None where it does not."""
    axes = [i for i, (size, more) in enumerate(zip(shape, other, strict=False)) if size != more]
    if len(axes) != 1 or len(shape) != len(other):
        return None
    (axis,) = axes
    step = prod(shape[axis + 1 :])
    period = step * shape[axis]
    images = [
        [*chain.from_iterable(numbers[i : i + step] for i in range(start, len(numbers), period))]
        for start in range(0, period, step)
    ]
    if any(image != images[0] for image in images):
        return None
    return tuple(images[0]), (*shape[:axis], 1, *shape[axis + 1 :])


@lru_cache(maxsize=64)
def constant_text(numbers: tuple[float, ...], shape: tuple[int, ...], dtype: str) -> str:
    """A constant tensor: all equal, few numbers, or packed."""
    kind = "" if dtype == "float32" else f", dtype=torch.{dtype}"
    size = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    plain = all(isinstance(number, (int, float)) and number - number == 0 for number in numbers)
    if plain and len(numbers) > 1 and len(set(numbers)) == 1:
        return f"torch.full({size}, {numbers[0]!r}{kind or ', dtype=torch.float32'})"
    if plain and len(numbers) <= FEW:
        if not shape:
            return f"torch.tensor({numbers[0]!r}{kind})"
        reshaped = "" if len(shape) == 1 else f".reshape{size}"
        return f"torch.tensor({list(numbers)!r}{kind}){reshaped}"
    data = zlib.compress(struct.pack(f"<{len(numbers)}d", *map(float, numbers)))
    text = base64.b85encode(data).decode("ascii")
    return f"constant({text!r}, torch.{dtype}{', ' if shape else ''}{', '.join(map(str, shape))})"
