"""Labelled images, in memory or on disk, and how they are split."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images and their labels: `pixels` (N, C, H, W) of uint8 where they fit into memory, else one file each."""

    labels: tuple[int, ...]
    pixels: Tensor | None = None
    files: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self, files: bool = True) -> str:
        """A short hash of the labels and pixels; of images on disk of their names and, with `files`, of their content.

        That reads every file once: as much as evaluating a sub-network on these images reads.
        """
        made = hashlib.sha256(repr(self.labels).encode())
        if self.pixels is not None:
            made.update(self.pixels.contiguous().numpy().data)
        for file in self.files:
            made.update(f"{file.parent.name}/{file.name}\n".encode())
        if files and self.files:
            with ThreadPoolExecutor() as threads:
                for content in threads.map(content_of, self.files):
                    made.update(content)
        return made.hexdigest()[:16]

    def take(self, indices: Sequence[int]) -> Images:
        """The images at these places, in this order."""
        return replace(
            self,
            labels=tuple(self.labels[i] for i in indices),
            pixels=None if self.pixels is None else self.pixels[list(indices)],
            files=tuple(self.files[i] for i in indices) if self.files else (),
        )


def content_of(file: Path) -> bytes:
    """A hash of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A data set: what it trains on, what the search judges by, and what is looked at last.

    `mean` and `std` are per channel, of pixels in 0..1.
    """

    name: str
    classes: int
    train: Images
    validation: Images
    test: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def parts(self) -> tuple[Images, Images, Images]:
        return self.train, self.validation, self.test

    def summary(self) -> str:
        """One line for people."""
        sizes = f"{len(self.train):,} training, {len(self.validation):,} validation, {len(self.test):,} test images"
        return f"{self.name}: {sizes}, {self.classes} classes"


def split(images: Images, share: float, seed: int) -> tuple[Images, Images]:
    """(the rest, a share of every class), chosen by `seed`.

    A class of several images keeps at least one on either side.
    """
    by_class: dict[int, list[int]] = {}
    for i, label in enumerate(images.labels):
        by_class.setdefault(label, []).append(i)
    rng = random.Random(seed)
    held: list[int] = []
    for label in sorted(by_class):
        members = by_class[label]
        rng.shuffle(members)
        count = round(share * len(members))
        if share and len(members) > 1:
            count = min(max(count, 1), len(members) - 1)
        held.extend(members[:count])
    chosen = set(held)
    rest = [i for i in range(len(images)) if i not in chosen]
    return images.take(rest), images.take(sorted(held))
