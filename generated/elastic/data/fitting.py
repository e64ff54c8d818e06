"""How data comes into the shapes that a network takes; and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from elastic.data.decoding import CHANNELS
from elastic.data.images import Data
from elastic.data.shapes import Shape, shown


def forms(data: Data, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """The shape that each input has until it is normalised: the network's, or an image that becomes a vector.

    Exits where the data does not go with the network.
    """
    if data.train.files:
        return (file_form(data, shapes),)
    arrays = [Shape(array.shape[1:]) for array in data.train.arrays]
    if len(arrays) == 1 < len(shapes):
        arrays = cut_shapes(data, arrays[0], shapes)
    if len(arrays) != len(shapes):
        told = f"{data.name} has {len(arrays)} inputs, the network takes {len(shapes)}"
        raise SystemExit(f"{told}: {', '.join(map(shown, shapes))}")
    return tuple(form(data, array, shape) for array, shape in zip(arrays, shapes, strict=True))


def file_form(data: Data, shapes: Sequence[Shape]) -> Shape:
    """Of images in files."""
    if len(shapes) > 1 or len(shapes[0]) == 1:
        taken = f"{len(shapes)} inputs" if len(shapes) > 1 else f"vectors of {shapes[0][0]} numbers"
        raise SystemExit(
            f"{data.name} has files of images; the network takes {taken}: see `data own` in README.md"
        )
    if shapes[0][0] not in CHANNELS:
        raise SystemExit(
            f"{data.name} has files of images, of 1 to 4 channels; the network takes {shapes[0][0]}"
        )
    return shapes[0]


def cut_shapes(data: Data, array: Shape, shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes of one array's channels, input after input."""
    channels = [shape[0] for shape in shapes]
    if len(array) != 3 or array[0] != sum(channels) or any(len(shape) == 1 for shape in shapes):
        brought = (
            f"images of {array[0]} channels"
            if len(array) == 3
            else f"vectors of {array[0]} numbers"
        )
        raise SystemExit(
            f"{data.name} has {brought}; the network takes {len(shapes)} inputs, {', '.join(map(shown, shapes))}: "
            "see `data own` in README.md"
        )
    return [(count, *array[1:]) for count in channels]


def form(data: Data, array: Shape, shape: Shape) -> Shape:
    """What becomes of one array of examples, before it has the shape that the network takes."""
    if len(array) == len(shape) == 3:
        if array[0] == shape[0] or array[0] == 1 or (array[0], shape[0]) == (3, 1):
            return shape
        hint = ""
        if array[2] in (1, shape[0]) or (array[2] in (3, 4) and array[0] > 4):
            hint = "; channels come first: images.transpose(0, 3, 1, 2)"
        raise SystemExit(
            f"{data.name} has images of {array[0]} channels ({shown(array)}), the network takes {shape[0]} "
            f"({shown(shape)}){hint}"
        )
    if prod(array) == prod(shape) and len(shape) == 1:
        return array
    ours, theirs = (
        f"images {shown(s)}" if len(s) == 3 else f"vectors of {s[0]} numbers"
        for s in (array, shape)
    )
    same = f", which are {prod(array)} numbers" if len(array) == 3 else ""
    raise SystemExit(f"{data.name} has {ours}{same}; the network takes {theirs}")


def cut(arrays: Sequence[Tensor], forms: Sequence[Shape]) -> tuple[Tensor, ...]:
    """An array for each input: one array is cut by its channels."""
    if len(arrays) == len(forms):
        return tuple(arrays)
    return torch.split(arrays[0], [form[0] for form in forms], dim=1)


def fitted(numbers: Tensor, form: Shape) -> Tensor:
    """Images (B, C, H, W) with the channels and the size of `form`, of the same kind of numbers; vectors as they are.

    The whole image is resized, whatever its sides. Colours are averaged for grey.
    """
    if len(form) == 1:
        return numbers
    channels, height, width = form
    if numbers.shape[1] != channels:
        if numbers.shape[1] != 1:
            numbers = like(numbers.float().mean(dim=1, keepdim=True), numbers)
        numbers = numbers.expand(-1, channels, -1, -1)
    if numbers.shape[-2:] != (height, width):
        resized = F.interpolate(
            numbers.float(), (height, width), mode="bilinear", align_corners=False, antialias=True
        )
        numbers = like(resized, numbers)
    return numbers


def like(made: Tensor, numbers: Tensor) -> Tensor:
    """Floats as the kind of numbers that they were made of."""
    if numbers.is_floating_point():
        return made
    most = 255 if numbers.dtype == torch.uint8 else 65535
    return made.round().clamp(0, most).to(numbers.dtype)


def unit(numbers: Tensor) -> Tensor:
    """Bytes and numbers of 16 bits (in int32) scaled to 0..1; floats as they are."""
    if numbers.is_floating_point():
        return numbers
    return numbers / (255 if numbers.dtype == torch.uint8 else 65535)
