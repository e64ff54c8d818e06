"""Shapes of what a network takes: (channels, height, width) of an image, (numbers,) of a vector, or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Shape: TypeAlias = tuple[int, ...]
"""Of one input, without the batch: (C, H, W) or (F,)."""
Shapes: TypeAlias = Shape | tuple[Shape, ...]
"""Of the one input of a network, or of each of several, in the order of its forward."""
Inputs: TypeAlias = Tensor | tuple[Tensor, ...]
"""A batch for a network of one input, or of several: images (B, C, H, W) or vectors (B, F) each."""


def each_shape(shapes: Shapes) -> tuple[Shape, ...]:
    """A shape for each input, also where there is one."""
    return tuple(shapes) if isinstance(shapes[0], tuple) else (shapes,)


def each_input(inputs: Inputs) -> tuple[Tensor, ...]:
    """A tensor for each input, also where there is one."""
    return inputs if isinstance(inputs, tuple) else (inputs,)


def together(inputs: Sequence[Tensor]) -> Inputs:
    """The one input of a network as it is, several as a tuple."""
    return inputs[0] if len(inputs) == 1 else tuple(inputs)


def random_inputs(
    shapes: Shapes, batch_size: int, device: torch.device | str = "cpu"
) -> tuple[Tensor, ...]:
    """Normally distributed numbers for each input."""
    return tuple(torch.randn(batch_size, *shape, device=device) for shape in each_shape(shapes))


def shown(shape: Sequence[int]) -> str:
    """`3x32x32`."""
    return "x".join(map(str, shape))
