"""Images at the resolution that a sub-network computes with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, fx


def sized(
    inputs: Sequence[Tensor], resolution: int | tuple[int | None, ...] | None
) -> tuple[Tensor, ...]:
    """The inputs at a plan's `resolution`: each at its own, as they are where that is None."""
    each = resolution if isinstance(resolution, tuple) else (resolution,) * len(inputs)
    return tuple(
        x if size is None else resize(x, size) for x, size in zip(inputs, each, strict=True)
    )


def resize(x: Any, resolution: int | None) -> Tensor:
    """`resized`; as they are where the resolution is None.

    Where a network is traced it is one step, which looks at the images when it runs.
    """
    if resolution is None:
        return x  # type: ignore[no-any-return]
    if isinstance(x, fx.Proxy):
        step: Any = x.tracer.create_proxy("call_function", resize, (x, resolution), {})
        return step  # type: ignore[no-any-return]
    return resized(x, resolution)


def resized(x: Tensor, resolution: int) -> Tensor:
    """Images [N, C, H, W] at [N, C, resolution, resolution]; as they are if they fit."""
    if x.shape[-2:] == (resolution, resolution):
        return x
    return F.interpolate(
        x, (resolution, resolution), mode="bilinear", align_corners=False, antialias=True
    )
