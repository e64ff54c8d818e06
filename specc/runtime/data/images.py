"""Labelled examples, in memory or on disk: their shapes, and how they are split.

A shape is (channels, height, width) of an image, (numbers,) of a vector, or several of these.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
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


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Examples and their labels: in memory an array for each input of the network, else one image file each.

    arrays  (N, C, H, W) or (N, F): bytes in uint8, numbers of 16 bits in int32, or floats, which are taken as they are
    files   where there are no arrays
    targets  masks (N, H, W), tags or values (N, numbers), images (N, C, H, W) for a network that predicts such; None
             where labels are classes. A label then is the place of the example's target
    """

    labels: tuple[int, ...]
    arrays: tuple[Tensor, ...] = ()
    files: tuple[Path, ...] = ()
    targets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self, files: bool = True) -> str:
        """A short hash of the labels and pixels; of images on disk of their names and, with `files`, of their content.

        That reads every file once: as much as evaluating a sub-network on these images reads.
        """
        made = hashlib.sha256(repr(self.labels).encode())
        if self.targets is not None:
            made.update(self.targets.contiguous().numpy().data)
        for array in self.arrays:
            made.update(array.contiguous().numpy().data)
        for file in self.files:
            made.update(f"{file.parent.name}/{file.name}\n".encode())
        if files and self.files:
            with ThreadPoolExecutor() as threads:
                for content in threads.map(content_of, self.files):
                    made.update(content)
        return made.hexdigest()[:16]

    def take(self, indices: Sequence[int]) -> Images:
        """The examples at these places, in this order."""
        places = torch.as_tensor([*indices], dtype=torch.long)
        return replace(
            self,
            labels=tuple(self.labels[i] for i in indices),
            arrays=tuple(array[places] for array in self.arrays),
            files=tuple(self.files[i] for i in indices) if self.files else (),
        )


def content_of(file: Path) -> bytes:
    """A hash of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a reader finds.

    names       of the classes, in the order of their labels; () where they have none
    validation  None where it is to be held out of the training part
    crop        files are brought to a square by cutting out the middle, as ImageNet is evaluated
    notes       what a person should know, a line each
    """

    train: Images
    test: Images
    names: tuple[str, ...] = ()
    validation: Images | None = None
    crop: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A data set: training, validation (of the search) and test images.

    mean, std    what inputs are normalised by, where they are no floats: for each channel of all arrays, one after
                 another, once they are scaled to 0..1; for each number of a vector
    names  in the order of the labels; () where the data has no names for them
    target_mean, target_std  what targets of numbers are normalised by; () where they are not
    """

    name: str
    classes: int
    train: Images
    validation: Images
    test: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]
    names: tuple[str, ...] = ()
    crop: bool = False
    notes: tuple[str, ...] = ()
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()

    @property
    def parts(self) -> tuple[Images, Images, Images]:
        return self.train, self.validation, self.test

    def summary(self, outputs: int = 0) -> str:
        """One line for people, and one for each note; another one where a network of `outputs` classes has more."""
        sizes = f"{len(self.train):,} training, {len(self.validation):,} validation, {len(self.test):,} test images"
        if not self.classes:
            return "\n".join([f"{self.name}: {sizes}", *self.notes])
        lines = [f"{self.name}: {sizes}, {self.classes} classes", *self.notes]
        if outputs > self.classes:
            more = f"the network has {outputs} classes, and the data {self.classes}: the others are never right"
            lines.append(
                f"note: {more}; write `classes {self.classes}` in the spec for a network of these alone"
            )
        return "\n".join(lines)


def split(images: Images, share: float, seed: int) -> tuple[Images, Images]:
    """(the rest, a share of every class), chosen by `seed`. Where there are no classes, a share of all.

    A class of several images keeps at least one on either side.
    """
    by_class: dict[int, list[int]] = {}
    for i, label in enumerate(images.labels):
        by_class.setdefault(label if images.targets is None else 0, []).append(i)
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
