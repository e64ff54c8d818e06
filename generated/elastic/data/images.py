"""Examples and their targets, in memory or on disk: their shapes, and how they are split.

A shape is (channels, height, width) of an image, (numbers,) of a vector, or several of these.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from elastic.data.mapped import Mapped, Rows, taken

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


COUNTED: Final[Mapping[str, str]] = {
    "classes": "classes",
    "pixels": "classes",
    "boxes": "classes",
    "tags": "tags",
}
"""The kinds of targets that there is a known number of, and what they are called."""

Targets: TypeAlias = tuple[Any, ...] | Rows
"""One for each example: class numbers or what is read with it in a tuple, else an array (N, ..)."""


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Examples and their targets: in memory an array for each input of the network, else one image file each.

    targets  class numbers, or files of masks, in a tuple; an array of masks (N, H, W), tags or values (N, numbers),
             images (N, C, H, W), boxes (N, most, 5). Of a torch Dataset its own places
    arrays   (N, C, H, W) or (N, F): bytes in uint8, numbers of 16 bits in int32, or floats, which are taken as they are
    files    where there are no arrays
    source   a torch Dataset that gives pairs of inputs and target, where there are neither
    """

    targets: Targets
    arrays: tuple[Rows, ...] = ()
    files: tuple[Path, ...] = ()
    source: Any = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def labels(self) -> tuple[int, ...]:
        """The class of each example; () where targets are something else."""
        if not isinstance(self.targets, tuple) or self.source is not None:
            return ()
        return self.targets if all(isinstance(t, int) for t in self.targets) else ()

    @property
    def looked_at(self) -> tuple[Rows, ...]:
        """An array for each input, or the examples of a Dataset that were looked at; () of files."""
        return self.arrays if self.source is None else tuple(self.source.inputs)

    def answers(self) -> str:
        """A short hash of the targets."""
        return hashlib.sha256(told(self.targets)).hexdigest()[:16]

    def digest(self, files: bool = True) -> str:
        """A short hash of the targets and pixels; of images on disk of their names and, with `files`, of their content.

        That reads every file once: as much as evaluating a sub-network on these images reads. Of memory maps it holds
        some rows, and the file's size and date; of a torch Dataset its length alone.
        """
        made = hashlib.sha256(told(self.targets))
        for array in self.arrays:
            made.update(content(array))
        for file in self.files:
            made.update(f"{file.parent.name}/{file.name}\n".encode())
        if files:
            read = [*self.files, *on_disk(self.targets)]
            with ThreadPoolExecutor() as threads:
                for part in threads.map(content_of, read):
                    made.update(part)
        return made.hexdigest()[:16]

    def take(self, indices: Sequence[int]) -> Images:
        """The examples at these places, in this order."""
        places = torch.as_tensor([*indices], dtype=torch.long)
        targets = self.targets
        return replace(
            self,
            targets=tuple(targets[i] for i in indices)
            if isinstance(targets, tuple)
            else taken(targets, places),
            arrays=tuple(taken(array, places) for array in self.arrays),
            files=tuple(self.files[i] for i in indices) if self.files else (),
        )


def told(targets: Targets) -> bytes:
    """What a hash of targets is made of; of files their names."""
    if not isinstance(targets, tuple):
        return bytes(content(targets))
    return repr(tuple(told_of(target) for target in targets)).encode()


def told_of(target: Any) -> Any:
    """A class number as it is, a file's name, what a drawn mask says of itself."""
    if isinstance(target, Path):
        return f"{target.parent.name}/{target.name}"
    return target.described() if hasattr(target, "described") else target


def content(rows: Rows) -> Any:
    """The bytes of an array; of one on disk what is told without reading all of it."""
    return rows.described() if isinstance(rows, Mapped) else rows.contiguous().numpy().data


def on_disk(targets: Targets) -> list[Path]:
    """The files that targets are read from."""
    return [t for t in targets if isinstance(t, Path)] if isinstance(targets, tuple) else []


def content_of(file: Path) -> bytes:
    """A hash of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a reader finds.

    names       of the classes, tags or values, in their order; () where they have none
    validation  None where it is to be held out of the training part
    crop        files are brought to a square by cutting out the middle, as ImageNet is evaluated
    notes       what a person should know, a line each
    standardised  inputs are normalised though they are floats: each number of vectors, each channel of images
    """

    train: Images
    test: Images
    names: tuple[str, ...] = ()
    validation: Images | None = None
    crop: bool = False
    notes: tuple[str, ...] = ()
    standardised: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A data set: training, validation (of the search) and test images.

    mean, std    what inputs are normalised by, where they are no floats: for each channel of all arrays, one after
                 another, once they are scaled to 0..1; for each number of a vector
    names  of the classes, tags or values, in their order; () where the data has no names for them
    kind         of the targets: "classes", "pixels", ..
    scale        how many times as high and wide as inputs targets are that are images
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
    kind: str = "classes"
    scale: int = 1
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
        what = COUNTED.get(self.kind, "classes")
        lines = [f"{self.name}: {sizes}, {self.classes} {what}", *self.notes]
        if outputs > self.classes:
            more = f"the network has {outputs} {what}, and the data {self.classes}: the others are never right"
            lines.append(
                f"note: {more}; write `{what} {self.classes}` in the spec for a network of these alone"
            )
        return "\n".join(lines)


def split(images: Images, share: float, seed: int) -> tuple[Images, Images]:
    """(the rest, a share of every class), chosen by `seed`. Where there are no classes, a share of all.

    A class of several images keeps at least one on either side.
    """
    by_class: dict[int, list[int]] = {}
    for i, label in enumerate(images.labels or [0] * len(images)):
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
