"""Examples one by one, for worker processes: decoded and transformed, each by random numbers of its own.

What an example becomes depends on its seed alone, not on the worker that makes it nor on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from elastic.data.decoding import decoded
from elastic.data.fitting import cut, fitted, unit
from elastic.data.shapes import Shape


class Example(NamedTuple):
    """What is read: a file, or a place in arrays; its label; and the seed of its augmentation, None for none."""

    source: Path | int
    label: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class Unread:
    """An example that could not be read, and why."""

    source: Path
    reason: str


Batch: TypeAlias = "tuple[tuple[Tensor, ...], Tensor] | Unread"
"""Inputs, each bytes or floats with the batch first, and labels (B)."""


class Arrays(Dataset[Any]):
    """Examples in memory, brought to their forms and transformed."""

    def __init__(
        self, arrays: Sequence[Tensor], forms: Sequence[Shape], transforms: Sequence[Any]
    ) -> None:
        self.arrays = tuple(arrays)
        self.forms = tuple(forms)
        self.transforms = tuple(transforms)

    def __getitem__(self, example: Example) -> tuple[tuple[Tensor, ...], int]:
        place: Any = example.source
        parts = cut([array[place : place + 1] for array in self.arrays], self.forms)
        inputs = [fitted(part, form)[0] for part, form in zip(parts, self.forms, strict=True)]
        made = [
            transformed(x if x.dtype == torch.uint8 else unit(x), self.transforms, example.seed)
            if x.dim() == 3
            else x
            for x in inputs
        ]
        return tuple(made), example.label


class Files(Dataset[Any]):
    """Image files, decoded when asked for: brought to (C, H, W) whole, or with `crop` by the middle of a square."""

    def __init__(self, form: Shape, crop: bool, transforms: Sequence[Any]) -> None:
        self.channels, self.height, self.width = form
        self.crop = crop and self.height == self.width
        self.transforms = tuple(transforms)

    def __getitem__(self, example: Example) -> tuple[tuple[Tensor, ...], int] | Unread:
        from torchvision.transforms.v2 import functional as V

        assert isinstance(example.source, Path)
        try:
            picture = decoded(example.source, self.channels)
        except Exception as error:  # decoders raise all kinds
            return Unread(example.source, " ".join(str(error).split()) or type(error).__name__)
        picture = transformed(picture, self.transforms, example.seed)
        if V.get_size(picture) != [self.height, self.width]:
            picture = self.resized(picture)
        return (
            picture if isinstance(picture, Tensor) else V.pil_to_tensor(picture),
        ), example.label

    def resized(self, picture: Any) -> Any:
        from torchvision.transforms.v2 import functional as V

        if not self.crop:
            return V.resize(picture, [self.height, self.width], antialias=True)
        # As ImageNet is evaluated: the shorter side at 8/7 of the wanted one, then the middle.
        picture = V.resize(picture, [round(self.height * 8 / 7)], antialias=True)
        return V.center_crop(picture, [self.height, self.width])


def transformed(image: Any, transforms: Sequence[Any], seed: int | None) -> Any:
    """An image after all transforms, whose random numbers come from `seed`; torch's own generator stays as it is."""
    if not transforms:
        return image
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        for transform in transforms:
            image = transform(image)
    return image


def collated(examples: list[Any]) -> Batch:
    """A batch of examples. Files of 8 and of 16 bits in one batch all become floats in 0..1."""
    for example in examples:
        if isinstance(example, Unread):
            return example
    columns = zip(*(inputs for inputs, _ in examples), strict=True)
    inputs = []
    for column in columns:
        same = len({x.dtype for x in column}) == 1
        inputs.append(torch.stack([x if same else unit(x) for x in column]))
    return tuple(inputs), torch.tensor([label for _, label in examples])


class Order:
    """The examples of each batch, as torch's DataLoader asks for them: others in every epoch."""

    def __init__(self) -> None:
        self.batches: Iterable[list[Example]] = ()

    def __iter__(self) -> Iterator[list[Example]]:
        return iter(self.batches)

    def __len__(self) -> int:
        raise TypeError("batches are made as they are asked for")


class Reader:
    """Worker processes that read examples. They stay from one epoch to the next."""

    def __init__(self, source: Dataset[Any], workers: int, pinned: bool) -> None:
        self.order = Order()
        self.busy = False
        # The seed that torch draws for its workers is not taken from the network's random numbers.
        self.loader: DataLoader[Any] = DataLoader(
            source,
            batch_sampler=self.order,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pinned,
            collate_fn=collated,
            generator=torch.Generator(),
        )

    def read(self, batches: Iterable[list[Example]]) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """The batches, in order. Exits with the name of a file that cannot be read."""
        self.order.batches = batches
        self.busy = True
        try:
            for batch in self.loader:
                if isinstance(batch, Unread):
                    raise SystemExit(f"{batch.source} cannot be decoded: {batch.reason}")
                yield batch
        finally:
            self.busy = False
