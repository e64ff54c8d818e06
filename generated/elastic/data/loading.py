"""Batches: from examples to normalised tensors on the device, in an order that a seed fixes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from elastic.data.arrays import unit
from elastic.data.augment import PER_IMAGE, Mixing, image_augmentation
from elastic.data.images import Data, Images, Inputs, Shapes, each_shape, together
from elastic.data.moving import together_augmentation
from elastic.data.reading import (
    Arrays,
    Example,
    Files,
    Reader,
    Sampled,
    Unread,
    collated,
    cut,
    fitted,
    forms,
    sized_target,
)
from elastic.run.distributed import World
from elastic.run.moves import REFUSED


class Loading:
    """How this process loads a data set: for a network that takes `shape`, with `workers` processes that decode files
    and transform images, as one process of the world's. Exits where the data does not go with the network."""

    def __init__(self, data: Data, shape: Shapes, world: World, workers: int = 0) -> None:
        self.data = data
        self.shapes = each_shape(shape)
        self.forms = forms(data, self.shapes)
        self.world = world
        self.workers = workers
        self.readers: dict[str, Reader] = {}

    def training(
        self,
        batch_size: int,
        augment: Sequence[Mapping[str, Any]],
        seed: int,
        epoch: int,
        repeats: int = 1,
        parts: int = 1,
        mixing: Mixing | None = None,
        first: int = 0,
    ) -> Iterator[tuple[Inputs, Tensor]]:
        """One epoch of augmented batches, `steps` many, or as many times `parts`, which each is cut into.
        Those before number `first` are left out: they were trained on before the run was stopped.

        `batch_size` counts the images of all processes together; where there are fewer, all are one batch. The last,
        incomplete batch is left out; as every epoch has an order of its own, no image is left out for good. Where
        `mixing` mixes, labels are soft. Targets that are maps or boxes move with their image. An image is augmented
        alike whatever the number of workers.
        """
        images, world = self.data.train, self.world
        order = repeated(len(images), repeats, f"{seed}/{epoch}/order")
        whole = min(batch_size, len(order))
        mine = whole // (world.size * parts)
        if not mine:
            few = f": there are {whole} training images" if whole < batch_size else ""
            raise SystemExit(
                f"a batch of {whole} cannot be cut into {world.size * parts} parts{few}"
            )
        transforms = self.transforms(augment)

        def examples() -> Iterator[list[Example]]:
            for step in range(first, self.steps(batch_size)):
                for part in range(parts):
                    start = step * batch_size + (part * world.size + world.rank) * mine
                    places = range(start, start + (mine if world.size * parts > 1 else whole))
                    # A place in the order stands for one view of an image, whichever process loads it.
                    yield [
                        self.example(
                            images, order[i], f"{seed}/{epoch}/{i}" if transforms else None
                        )
                        for i in places
                    ]

        finish = together_augmentation(augment)
        for inputs, given in self.raw(f"training {augment}", images, examples(), transforms):
            moved, targets = finish(self.moved(inputs), given.to(world.device), self.data.kind)
            batch, targets = self.normalised(moved), self.wanted(targets)
            yield (batch, targets) if mixing is None else mixing(batch, targets)

    def steps(self, batch_size: int) -> int:
        """The number of batches of an epoch."""
        if batch_size < self.world.size:
            raise SystemExit(
                f"a batch of {batch_size} cannot be shared by {self.world.size} processes"
            )
        return max(1, len(self.data.train) // batch_size)

    def evaluation(self, images: Images, batch_size: int = 500) -> PlainBatches:
        """This process's share of the images, as they are."""
        mine = range(self.world.rank, len(images), self.world.size)
        return PlainBatches(self, images, list(mine), batch_size)

    def calibration(self, count: int, batch_size: int = 256, seed: int = 0) -> PlainBatches | None:
        """`count` training images without augmentation, the same in every process and run; None for none."""
        order = list(range(len(self.data.train)))
        random.Random(f"{seed}/calibration").shuffle(order)
        return PlainBatches(self, self.data.train, order[:count], batch_size) if count else None

    def digests(self, calibrate: int) -> list[str]:
        """Hashes of what evaluations depend on: the images of evaluation and calibration, and their normalisation."""
        fitting = self.calibration(calibrate)
        parts = [self.evaluation(self.data.validation), self.evaluation(self.data.test)]
        parts += [] if fitting is None else [fitting]
        return [
            *(part.digest() for part in parts),
            f"{self.shapes} {self.statistics()} {self.crops}",
        ]

    def transforms(self, augment: Sequence[Mapping[str, Any]]) -> list[Any]:
        """What happens to single images. Exits where a word of `augment` cannot be applied to the data."""
        images = [form for form in self.forms if len(form) == 3]
        if augment and not images:
            raise SystemExit(
                f"augment: {augment[0]['name']} is for images, and the data has vectors"
            )
        if any(word["name"] == "lighting" for word in augment) and any(f[0] != 3 for f in images):
            raise SystemExit("augment: lighting is for colour images, of 3 channels")
        refused = REFUSED.get(self.data.kind, {})
        for word in augment:
            if word["name"] in refused:
                raise SystemExit(
                    f"augment: {word['name']} does not go with {self.data.kind}: {refused[word['name']]}"
                )
        single = [word["name"] for word in augment if word["name"] in PER_IMAGE]
        colours = [name for name in single if name != "resized_crop"]
        floats = any(
            array.is_floating_point() and array.dim() == 4 for array in self.data.train.looked_at
        )
        if colours and floats:
            raise SystemExit(f"augment: {colours[0]} is for bytes, and the data has floats")
        if colours and any(form[0] not in (1, 3) for form in images):
            raise SystemExit(
                f"augment: {colours[0]} is for grey and colour images, of 1 or 3 channels"
            )
        if single and len({form[1:] for form in images}) > 1:
            raise SystemExit(f"augment: {single[0]} is for inputs of one size")
        return image_augmentation(augment, images[0][1:], not self.crops) if single else []

    @property
    def crops(self) -> bool:
        """Whether files are brought to size by cutting out the middle: of a square alone."""
        return self.data.crop and self.forms[0][1] == self.forms[0][2]

    def example(self, images: Images, i: int, seed: str | None) -> Example:
        number = None if seed is None else random.Random(seed).getrandbits(63)
        source = images.files[i] if images.files else i
        target = images.targets[i] if isinstance(images.targets, tuple) else None
        if target is None and images.files:  # an array's row, as a worker process takes it
            target = images.targets[i].numpy()
        return Example(source, target, number)

    def wanted(self, targets: Tensor) -> Tensor:
        """What outputs are compared with: values without the mean of the training part, divided by its deviation."""
        if not self.data.target_std:
            return targets
        mean, std = (
            targets.new_tensor(row) for row in (self.data.target_mean, self.data.target_std)
        )
        return (targets - mean) / std

    def moved(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Inputs on the device, whole numbers scaled to 0..1."""
        return tuple(unit(x.to(self.world.device, non_blocking=True)) for x in inputs)

    def normalised(self, inputs: Sequence[Tensor]) -> Inputs:
        """(x - mean) / std of every input, per channel, in the network's shape; images with channels last in memory."""
        made = []
        for x, shape, (mean, std) in zip(inputs, self.shapes, self.statistics(), strict=True):
            sides = [1] * (x.dim() - 2)
            x = (x - x.new_tensor(mean).view(-1, *sides)) / x.new_tensor(std).view(-1, *sides)
            if x.dim() == 4 and len(shape) == 3:
                made.append(x.contiguous(memory_format=torch.channels_last))
            else:
                made.append(x.flatten(1))
        return together(made)

    def statistics(self) -> list[tuple[list[float], list[float]]]:
        """Mean and standard deviation of each input's channels, or numbers; those of the data are averaged where the
        network sees other channels."""
        found, first = [], 0
        arrays = self.data.train.looked_at
        counts = [array.shape[1] for array in arrays]
        if len(arrays) != len(self.forms):  # files, or one array for several inputs
            counts = [form[0] for form in self.forms] if arrays else [len(self.data.mean)]
        for form, count in zip(self.forms, counts, strict=True):
            sides = []
            for values in (self.data.mean, self.data.std):
                own = [*values[first : first + count]]
                sides.append(own if len(own) == form[0] else [sum(own) / len(own)] * form[0])
            first += count
            found.append((sides[0], sides[1]))
        return found

    def scales(self) -> list[int]:
        """What the numbers of each input are divided by, to be from 0 to 1; 1 for floats."""
        known = {torch.uint8: 255, torch.int32: 65535}
        found = [known.get(array.dtype, 1) for array in self.data.train.looked_at] or [255]
        return found if len(found) == len(self.forms) else found * len(self.forms)

    def raw(
        self,
        purpose: str,
        images: Images,
        batches: Iterable[list[Example]],
        transforms: Sequence[Any] = (),
    ) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """Batches in their forms, bytes or floats, and targets (B, ..). Workers stay for those of the same purpose."""
        if images.files or images.source is not None or (transforms and self.workers):
            yield from self.reader(purpose, images, transforms).read(batches)
            return
        kind, scale = self.data.kind, self.data.scale
        arrays = Arrays(images, self.forms, transforms, kind, scale)
        for batch in batches:
            if transforms:
                made = collated([arrays[example] for example in batch])
                assert not isinstance(made, Unread)  # arrays are there
                yield made
                continue
            places = torch.tensor([example.source for example in batch])
            parts = cut([array[places] for array in images.arrays], self.forms)
            inputs = (fitted(part, form) for part, form in zip(parts, self.forms, strict=True))
            targets = images.targets
            given = (
                torch.tensor([example.target for example in batch])
                if isinstance(targets, tuple)
                else sized_target(targets[places], self.forms[0], kind, scale)
            )
            yield tuple(inputs), given

    def reader(self, purpose: str, images: Images, transforms: Sequence[Any]) -> Reader:
        """The worker processes that were there before, or new ones: also where those are in the middle of something."""
        known = self.readers.get(purpose)
        if known is not None and not known.busy:
            return known
        kind, scale = self.data.kind, self.data.scale
        source: Any = Arrays(images, self.forms, transforms, kind, scale)
        if images.files:
            source = Files(self.forms[0], self.data.crop, transforms, kind)
        elif images.source is not None:
            source = Sampled(images.source, self.forms, transforms, kind, scale)
        made = Reader(source, self.workers, self.world.device.type == "cuda")
        self.readers.setdefault(purpose, made)
        return made


def repeated(images: int, repeats: int, seed: str) -> list[int]:
    """The order of an epoch: all images, or as many places for a part of them, each `repeats` times in a row.

    Repeated augmentation (Hoffer et al., 2020): an epoch is as long as any, its batches hold every image several times.
    """
    order = list(range(images))
    random.Random(seed).shuffle(order)
    return [order[place // repeats] for place in range(images)]


class PlainBatches:
    """Batches without augmentation, to be gone through again and again; kept in memory if under 1 GiB.

    No batch but that of a lone image holds one: a norm of vectors has no statistics of it.
    """

    def __init__(
        self, loading: Loading, images: Images, indices: list[int], batch_size: int
    ) -> None:
        self.loading = loading
        self.images = images
        self.batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
        if len(self.batches) > 1 and len(self.batches[-1]) == 1:
            self.batches[-2:] = [self.batches[-2] + self.batches[-1]]
        self.keep = 4 * len(indices) * sum(map(math.prod, loading.shapes)) < 2**30
        self.kept: list[tuple[Inputs, Tensor]] | None = None

    def __iter__(self) -> Iterator[tuple[Inputs, Tensor]]:
        if not self.keep:
            return self.load()
        if self.kept is None:
            self.kept = list(self.load())
        return iter(self.kept)

    def digest(self) -> str:
        """A short hash of these images and targets, in their order, by content."""
        return self.images.take([index for batch in self.batches for index in batch]).digest()

    def load(self) -> Iterator[tuple[Inputs, Tensor]]:
        loading = self.loading
        device = loading.world.device
        examples = (
            [loading.example(self.images, i, None) for i in batch] for batch in self.batches
        )
        for inputs, targets in loading.raw("evaluation", self.images, examples):
            yield loading.normalised(loading.moved(inputs)), loading.wanted(targets.to(device))
