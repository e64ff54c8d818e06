"""Arrays of numbers that people bring: numpy's, torch's or lists, in memory or as memory maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from elastic.data.mapped import Mapped, Rows, parts


def rows_of(given: Any, what: str) -> Rows:
    """An array of examples: uint8 as it is, uint16 in int32, all others in float32. A memory map stays on disk.

    Raises ValueError where it is none.
    """
    if isinstance(given, np.memmap) and given.ndim:
        return mapped(given, what)
    try:
        numbers = given if isinstance(given, Tensor) else torch.from_numpy(native(given))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"the {what} are no array of numbers: {error}") from None
    if numbers.is_complex():
        raise ValueError(f"the {what} are complex numbers")
    return numbers.detach().cpu().to(kept(numbers.dtype))


def kept(dtype: torch.dtype) -> torch.dtype:
    """The kind of numbers that inputs are kept in."""
    return {torch.uint8: torch.uint8, torch.uint16: torch.int32}.get(dtype, torch.float32)


def mapped(given: np.memmap[Any, Any], what: str) -> Mapped:
    """A memory map of the kind of numbers that its rows become. Raises ValueError where it holds no numbers."""
    try:
        dtype = torch.from_numpy(np.zeros(1, given.dtype.newbyteorder("="))).dtype
    except TypeError as error:
        raise ValueError(f"the {what} are no array of numbers: {error}") from None
    if dtype.is_complex:
        raise ValueError(f"the {what} are complex numbers")
    return Mapped(given, kept(dtype), np.arange(len(given)))


def native(given: Any) -> np.ndarray[Any, Any]:
    """An array as torch takes it: in this machine's byte order, never backwards in memory, and one that may be written
    to, as torch's may."""
    array = np.ascontiguousarray(given)
    return array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)


def unit(numbers: Tensor) -> Tensor:
    """Bytes and numbers of 16 bits (in int32) scaled to 0..1; floats as they are."""
    if numbers.is_floating_point():
        return numbers
    return numbers / (255 if numbers.dtype == torch.uint8 else 65535)


def single_channel(rows: Rows) -> Rows:
    """Grey images (N, H, W) as (N, 1, H, W)."""
    if isinstance(rows, Mapped):
        return Mapped(rows.file, rows.dtype, rows.places, single=True)
    return rows[:, None]


def check_finite(rows: Rows, what: str) -> None:
    """Raises ValueError, naming the first example that holds NaN or infinity."""
    strange: list[int] = []
    first = 0
    for part in parts(rows):
        odd = (~torch.isfinite(part)).flatten(1).any(dim=1).nonzero().flatten()
        strange += [first + i for i in odd.tolist()]
        first += len(part)
    if strange:
        others = f", and {len(strange) - 1} others" if len(strange) > 1 else ""
        raise ValueError(f"the {what} {strange[0]} holds NaN or infinity{others}")


def extremes(rows: Rows) -> tuple[float, float]:
    """The least and the largest number."""
    found = [(float(part.min()), float(part.max())) for part in parts(rows)]
    return min(low for low, _ in found), max(high for _, high in found)
