"""Batches: from labelled images to normalised tensors on the device, in an order that a seed fixes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from specc.codegen.runtime.augment import batch_augmentation, image_augmentation
from specc.codegen.runtime.distributed import World
from specc.codegen.runtime.images import Data, Images
from specc.codegen.runtime.mixing import Mixing

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """How this process loads: the shape (C, H, W) that the network takes, worker processes, its place in the world."""

    data: Data
    shape: Shape
    world: World
    workers: int = 0

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
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch of augmented batches, `steps` many, or as many times `parts`, which each is cut into.
        Those before number `first` are left out: they were trained on before the run was stopped.

        `batch_size` counts the images of all processes together. The last, incomplete batch is left out; as every
        epoch has an order of its own, no image is left out for good. Where `mixing` mixes, labels are soft.
        """
        images = self.data.train
        order = repeated(len(images), repeats, f"{seed}/{epoch}/order")
        world = self.world
        mine = batch_size // world.size // parts
        if not mine:
            raise SystemExit(
                f"a batch of {batch_size} cannot be cut into {parts * world.size} parts"
            )
        steps = self.steps(batch_size)
        batches = []
        for step in range(first, steps):
            whole = order[step * batch_size : (step + 1) * batch_size]
            for part in range(parts):
                start = (part * world.size + world.rank) * mine
                batches.append(whole[start : start + mine] if world.size * parts > 1 else whole)
        generator = torch.Generator().manual_seed(
            random.Random(f"{seed}/{epoch}/{world.rank}").getrandbits(31)
        )
        transforms = image_augmentation(augment, self.shape[1:])
        finish = batch_augmentation(augment)
        for pixels, labels in self.raw(images, batches, transforms, generator):
            batch = self.normalised(finish(pixels.to(world.device, non_blocking=True) / 255))
            labels = labels.to(world.device)
            yield (batch, labels) if mixing is None else mixing(batch, labels)

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

    def normalised(self, images: Tensor) -> Tensor:
        """(x - mean) / std, per channel, channels last in memory.

        The statistics of colour images are averaged for a network that sees grey.
        """
        mean, std = (self.channelwise(values, images) for values in (self.data.mean, self.data.std))
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

    def channelwise(self, values: tuple[float, ...], images: Tensor) -> Tensor:
        tensor = images.new_tensor(values)
        return (
            tensor if len(values) == images.shape[1] else tensor.mean().expand(images.shape[1])
        ).view(-1, 1, 1)

    def raw(
        self,
        images: Images,
        batches: list[list[int]],
        transforms: list[Any],
        generator: torch.Generator | None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of bytes (B, C, H, W) and labels (B)."""
        if images.pixels is None or (transforms and self.workers):
            kind = Files if images.pixels is None else Pictures
            workers: dict[str, Any] = {
                "num_workers": self.workers,
                "pin_memory": self.world.device.type == "cuda",
            }
            source = kind(images, self.shape, transforms)
            yield from DataLoader(source, batch_sampler=batches, generator=generator, **workers)
            return
        labels = torch.tensor(images.labels)
        for batch in batches:
            pixels = fitted(images.pixels[batch], self.shape)
            if transforms:
                pixels = torch.stack([transformed(image, transforms) for image in pixels])
            yield pixels, labels[batch]


def repeated(images: int, repeats: int, seed: str) -> list[int]:
    """The order of an epoch: all images, or as many places for a part of them, each `repeats` times in a row.

    Repeated augmentation (Hoffer et al., 2020): an epoch is as long as any, its batches hold every image several times.
    """
    order = list(range(images))
    random.Random(seed).shuffle(order)
    return [order[place // repeats] for place in range(images)]


class PlainBatches:
    """Batches without augmentation, to be gone through again and again; kept in memory if under 1 GiB."""

    def __init__(
        self, loading: Loading, images: Images, indices: list[int], batch_size: int
    ) -> None:
        self.loading = loading
        self.images = images
        self.batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
        self.keep = 4 * len(indices) * math.prod(loading.shape) < 2**30
        self.kept: list[tuple[Tensor, Tensor]] | None = None

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if not self.keep:
            return self.load()
        if self.kept is None:
            self.kept = list(self.load())
        return iter(self.kept)

    def load(self) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.loading.world.device
        for pixels, labels in self.loading.raw(self.images, self.batches, [], None):
            yield self.loading.normalised(pixels.to(device) / 255), labels.to(device)


def fitted(pixels: Tensor, shape: Shape) -> Tensor:
    """Bytes (B, C, H, W) with the channels and the size of `shape`."""
    channels, height, width = shape
    if pixels.shape[1] != channels:
        grey = (
            pixels.float().mean(dim=1, keepdim=True).round().to(torch.uint8)
            if pixels.shape[1] != 1
            else pixels
        )
        pixels = grey.expand(-1, channels, -1, -1)
    if pixels.shape[-2:] != (height, width):
        resized = F.interpolate(
            pixels.float(), (height, width), mode="bilinear", align_corners=False, antialias=True
        )
        pixels = resized.round().clamp(0, 255).to(torch.uint8)
    return pixels


def transformed(image: Any, transforms: list[Any]) -> Any:
    for transform in transforms:
        image = transform(image)
    return image


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images in memory, transformed one by one. Runs in the loader's worker processes."""

    def __init__(self, images: Images, shape: Shape, transforms: list[Any]) -> None:
        self.images = images
        self.shape = shape
        self.transforms = transforms

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        assert self.images.pixels is not None
        pixels = fitted(self.images.pixels[index : index + 1], self.shape)[0]
        return transformed(pixels, self.transforms), self.images.labels[index]


class Files(Pictures):
    """Image files, decoded when asked for."""

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image
        from torchvision.transforms.v2 import functional as V

        channels, height, width = self.shape
        with Image.open(self.images.files[index]) as file:
            picture: Any = file.convert("L" if channels == 1 else "RGB")
        picture = transformed(picture, self.transforms)
        if picture.size != (width, height):
            # As ImageNet is evaluated: the shorter side at 8/7 of the wanted one, then the middle.
            picture = V.resize(picture, [round(max(height, width) * 8 / 7)], antialias=True)
            picture = V.center_crop(picture, [height, width])
        tensor: Tensor = V.pil_to_tensor(picture)
        return tensor, self.images.labels[index]
