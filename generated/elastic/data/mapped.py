"""Rows of a numpy memory map: an array that stays on disk, of which a batch reads its own rows alone."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SEEN = 64
"""Rows whose content a digest holds; of all others the file's size and date speak."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """Rows of a memory map, in an order of their own; it is asked for shape and rows as a tensor is.

    dtype   of the tensors that its rows become: floats in float32, whole numbers as they are
    places  (N,) int64, the rows
    """

    file: np.memmap[Any, Any]
    dtype: torch.dtype
    places: NDArray[np.int64]
    single: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        inner = self.file.shape[1:]
        return (len(self.places), *((1, *inner) if self.single else inner))

    def __len__(self) -> int:
        return len(self.places)

    def dim(self) -> int:
        return len(self.shape)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def rows(self, places: Tensor | slice) -> Mapped:
        """Some of the rows, still on disk."""
        chosen = places if isinstance(places, slice) else places.numpy()
        return Mapped(self.file, self.dtype, self.places[chosen], self.single)

    def __getitem__(self, places: Any) -> Tensor:
        """Rows as a tensor, read from disk."""
        chosen = self.places[places.numpy() if isinstance(places, Tensor) else places]
        found = self.file[chosen]
        found = np.array(found, found.dtype.newbyteorder("="))
        made = torch.from_numpy(found).to(self.dtype)
        return made.unsqueeze(0 if made.dim() < self.file.ndim else 1) if self.single else made

    def described(self) -> bytes:
        """What tells this array from another without reading it all: some rows, the file's size and date."""
        told = f"{self.file.shape} {self.file.dtype.str} {self.file.offset}"
        if self.file.filename is not None:
            status = os.stat(self.file.filename)
            told += f" {status.st_size} {status.st_mtime_ns}"
        made = hashlib.sha256(told.encode())
        made.update(self.places.tobytes())
        step = max(1, len(self.places) // SEEN)
        made.update(np.ascontiguousarray(self.file[self.places[::step]]).tobytes())
        return made.digest()

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process opens the file again; numpy would send it the whole content.
        file = self.file
        if file.filename is None:
            raise TypeError("a memory map without a file cannot go to a worker process")
        about = (os.fspath(file.filename), file.dtype, file.offset, file.shape, order(file))
        return opened, (about, self.dtype, self.places, self.single)


Rows: TypeAlias = Tensor | Mapped
"""An array of examples, in memory or on disk."""


def order(file: NDArray[Any]) -> str:
    return "C" if file.flags.c_contiguous else "F"


def opened(
    about: tuple[Any, ...], dtype: torch.dtype, places: NDArray[np.int64], single: bool
) -> Mapped:
    path, kind, offset, shape, memory = about
    file = np.memmap(path, kind, "r", offset, shape, memory)
    return Mapped(file, dtype, places, single)


def taken(rows: Rows, places: Tensor) -> Rows:
    """Some of the rows: in memory of an array that is there, else still on disk."""
    return rows.rows(places) if isinstance(rows, Mapped) else rows[places]


def parts(rows: Rows, size: int = 1024) -> Any:
    """All rows in memory, `size` of them after one another."""
    for first in range(0, len(rows), size):
        yield rows[first : first + size]
