"""Examples in the shapes that a network takes, one by one, for worker processes: decoded and transformed.

What an example becomes depends on its seed alone, not on the worker that makes it nor on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from elastic.data.arrays import unit
from elastic.data.folders import CHANNELS, decoded
from elastic.data.images import Data, Images, Shape, shown
from elastic.data.masks import read_mask
from elastic.data.moving import kept_boxes


def forms(data: Data, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """The shape that each input has until it is normalised: the network's, or an image that becomes a vector.

    Exits where the data does not go with the network.
    """
    if data.train.files:
        return (file_form(data, shapes),)
    arrays = [Shape(array.shape[1:]) for array in data.train.looked_at]
    if len(arrays) == 1 < len(shapes):
        arrays = cut_shapes(data, arrays[0], shapes)
    if len(arrays) != len(shapes):
        told = f"{data.name} has {len(arrays)} inputs, the network takes {len(shapes)}"
        raise SystemExit(f"{told}: {', '.join(map(shown, shapes))}")
    return tuple(form(data, array, shape) for array, shape in zip(arrays, shapes, strict=True))


def file_form(data: Data, shapes: Sequence[Shape]) -> Shape:
    """Of images in files."""
    if len(shapes) > 1 or len(shapes[0]) == 1:
        taken = f"{len(shapes)} inputs" if len(shapes) > 1 else f"vectors of {shapes[0][0]} numbers"
        raise SystemExit(
            f"{data.name} has files of images; the network takes {taken}: see `data own` in README.md"
        )
    if shapes[0][0] not in CHANNELS:
        raise SystemExit(
            f"{data.name} has files of images, of 1 to 4 channels; the network takes {shapes[0][0]}"
        )
    return shapes[0]


def cut_shapes(data: Data, array: Shape, shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes of one array's channels, input after input."""
    channels = [shape[0] for shape in shapes]
    if len(array) != 3 or array[0] != sum(channels) or any(len(shape) == 1 for shape in shapes):
        brought = (
            f"images of {array[0]} channels"
            if len(array) == 3
            else f"vectors of {array[0]} numbers"
        )
        raise SystemExit(
            f"{data.name} has {brought}; the network takes {len(shapes)} inputs, {', '.join(map(shown, shapes))}: "
            "see `data own` in README.md"
        )
    return [(count, *array[1:]) for count in channels]


def form(data: Data, array: Shape, shape: Shape) -> Shape:
    """What becomes of one array of examples, before it has the shape that the network takes."""
    if len(array) == len(shape) == 3 and shape[1] == 1:
        signals = array[1] == 1 or array[:2] == (1, shape[0])
        if signals and array[2] != shape[2]:
            raise SystemExit(
                f"{data.name} has signals of {array[2]:,} numbers, the network takes {shape[2]:,}"
            )
        if array == (1, shape[0], shape[2]):  # (N, C, L), which looks like grey images
            return shape
        if array[1] != 1 < shape[2]:
            raise SystemExit(
                f"{data.name} has images {shown(array)}, or signals of {array[1]} channels; the network takes signals "
                f"of {shape[0]}"
            )
    if len(array) == len(shape) == 3:
        if array[0] == shape[0] or array[0] == 1 or (array[0], shape[0]) == (3, 1):
            return shape
        hint = ""
        if array[2] in (1, shape[0]) or (array[2] in (3, 4) and array[0] > 4):
            hint = "; channels come first: images.transpose(0, 3, 1, 2)"
        raise SystemExit(
            f"{data.name} has images of {array[0]} channels ({shown(array)}), the network takes {shape[0]} "
            f"({shown(shape)}){hint}"
        )
    if prod(array) == prod(shape) and len(shape) == 1:
        return array
    ours, theirs = (
        f"images {shown(s)}" if len(s) == 3 else f"vectors of {s[0]} numbers"
        for s in (array, shape)
    )
    same = f", which are {prod(array)} numbers" if len(array) == 3 else ""
    raise SystemExit(f"{data.name} has {ours}{same}; the network takes {theirs}")


def cut(arrays: Sequence[Tensor], forms: Sequence[Shape]) -> tuple[Tensor, ...]:
    """An array for each input: one array is cut by its channels."""
    if len(arrays) == len(forms):
        return tuple(arrays)
    return torch.split(arrays[0], [form[0] for form in forms], dim=1)


def fitted(numbers: Tensor, form: Shape) -> Tensor:
    """Images (B, C, H, W) with the channels and the size of `form`, of the same kind of numbers; vectors as they are.

    The whole image is resized, whatever its sides. Colours are averaged for grey.
    """
    if len(form) == 1:
        return numbers
    channels, height, width = form
    if height == 1 < channels and numbers.shape[1:] == (1, channels, width):
        return numbers.transpose(1, 2)  # signals, whose channels came as rows
    if numbers.shape[1] != channels:
        if numbers.shape[1] != 1:
            numbers = like(numbers.float().mean(dim=1, keepdim=True), numbers)
        numbers = numbers.expand(-1, channels, -1, -1)
    if numbers.shape[-2:] != (height, width):
        resized = F.interpolate(
            numbers.float(), (height, width), mode="bilinear", align_corners=False, antialias=True
        )
        numbers = like(resized, numbers)
    return numbers


def like(made: Tensor, numbers: Tensor) -> Tensor:
    """Floats as the kind of numbers that they were made of."""
    if numbers.is_floating_point():
        return made
    most = 255 if numbers.dtype == torch.uint8 else 65535
    return made.round().clamp(0, most).to(numbers.dtype)


def sized_target(targets: Tensor, form: Shape, kind: str, scale: int) -> Tensor:
    """A batch of targets, maps among them as high and wide as the images become: masks (B, H, W) by their nearest
    pixels, images (B, C, scale * H, scale * W). All others as they are."""
    if kind == "pixels" and len(form) == 3 and targets.shape[-2:] != form[1:]:
        return F.interpolate(targets[:, None].float(), form[1:], mode="nearest-exact")[:, 0].to(
            targets.dtype
        )
    if kind == "restored" and len(form) == 3:
        return fitted(targets, (targets.shape[1], *(scale * side for side in form[1:])))
    return targets


class Example(NamedTuple):
    """What is read: a file, or a place in arrays or in a Dataset; its target, where that is no row of an array beside
    them; and the seed of its augmentation, None for none."""

    source: Path | int
    target: Any
    seed: int | None


@dataclass(frozen=True, slots=True)
class Unread:
    """An example that could not be read, and why."""

    source: Path | str
    reason: str


Batch: TypeAlias = "tuple[tuple[Tensor, ...], Tensor] | Unread"
"""Inputs, each bytes or floats with the batch first, and targets (B, ..)."""


class Arrays(Dataset[Any]):
    """Examples in memory, brought to their forms and transformed."""

    def __init__(
        self,
        images: Images,
        forms: Sequence[Shape],
        transforms: Sequence[Any],
        kind: str = "classes",
        scale: int = 1,
    ) -> None:
        self.images = images
        self.forms = tuple(forms)
        self.transforms = tuple(transforms)
        self.kind, self.scale = kind, scale

    def __getitem__(self, example: Example) -> tuple[tuple[Tensor, ...], Any]:
        place: Any = example.source
        parts = cut([array[place : place + 1] for array in self.images.arrays], self.forms)
        inputs = [fitted(part, form)[0] for part, form in zip(parts, self.forms, strict=True)]
        target = example.target
        if target is None:
            row = self.images.targets[place : place + 1]
            assert isinstance(row, Tensor)
            target = sized_target(row, self.forms[0], self.kind, self.scale)[0]
        return augmented(inputs, target, self.transforms, example.seed, self.kind)


class Files(Dataset[Any]):
    """Image files, decoded when asked for: brought to (C, H, W) whole, or with `crop` by the middle of a square.

    Masks are files, too, and brought to size with their image."""

    def __init__(
        self, form: Shape, crop: bool, transforms: Sequence[Any], kind: str = "classes"
    ) -> None:
        self.channels, self.height, self.width = form
        self.crop = crop and self.height == self.width
        self.transforms = tuple(transforms)
        self.kind = kind

    def __getitem__(self, example: Example) -> tuple[tuple[Tensor, ...], Any] | Unread:
        from torchvision.transforms.v2 import functional as V

        assert isinstance(example.source, Path)
        try:
            picture = decoded(example.source, self.channels)
        except Exception as error:  # decoders raise all kinds
            return Unread(example.source, reason_of(error))
        try:
            target = read_target(example.target)
        except Exception as error:
            return Unread(
                example.target if isinstance(example.target, Path) else example.source,
                reason_of(error),
            )
        moving = maps_of(target, V.get_size(picture), self.kind)
        picture, moving = transformed(picture, moving, self.transforms, example.seed)
        if V.get_size(picture) != [self.height, self.width]:
            picture, moving = self.resized(picture, moving)
        made = picture if isinstance(picture, Tensor) else V.pil_to_tensor(picture)
        return (made,), plain_target(target, moving, (self.height, self.width))

    def resized(self, picture: Any, moving: Any) -> tuple[Any, Any]:
        from torchvision.transforms.v2 import functional as V

        if not self.crop:
            return tuple(
                None if x is None else V.resize(x, [self.height, self.width], antialias=True)
                for x in (picture, moving)
            )  # type: ignore[return-value]
        # As ImageNet is evaluated: the shorter side at 8/7 of the wanted one, then the middle.
        short = round(self.height * 8 / 7)
        return tuple(
            None
            if x is None
            else V.center_crop(V.resize(x, [short], antialias=True), [self.height, self.width])
            for x in (picture, moving)
        )  # type: ignore[return-value]


class Sampled(Dataset[Any]):
    """A torch Dataset of pairs (inputs, target), brought to the forms and transformed."""

    def __init__(
        self,
        source: Any,
        forms: Sequence[Shape],
        transforms: Sequence[Any],
        kind: str = "classes",
        scale: int = 1,
    ) -> None:
        self.source = source
        self.forms = tuple(forms)
        self.transforms = tuple(transforms)
        self.kind, self.scale = kind, scale

    def __getitem__(self, example: Example) -> tuple[tuple[Tensor, ...], Any] | Unread:
        try:
            arrays, target = self.source.read(example.target)
        except Exception as error:  # it is a user's code
            return Unread(f"example {example.target} of the Dataset", reason_of(error))
        parts = cut([array[None] for array in arrays], self.forms)
        inputs = [fitted(part, form)[0] for part, form in zip(parts, self.forms, strict=True)]
        if isinstance(target, Tensor) and target.dim():
            target = sized_target(target[None], self.forms[0], self.kind, self.scale)[0]
        return augmented(inputs, target, self.transforms, example.seed, self.kind)


def reason_of(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def augmented(
    inputs: Sequence[Tensor], target: Any, transforms: Sequence[Any], seed: int | None, kind: str
) -> tuple[tuple[Tensor, ...], Any]:
    """The inputs of one example after all transforms, each with the same random numbers, and its target."""
    made: list[Tensor] = []
    moved = None
    for x in inputs:
        if x.dim() != 3 or not transforms:
            made.append(x)
            continue
        size = [*x.shape[-2:]]
        image = x if x.dtype == torch.uint8 else unit(x)
        image, moving = transformed(image, maps_of(target, size, kind), transforms, seed)
        moved = moving if moved is None else moved
        made.append(image)
    if moved is not None:
        target = plain_target(target, moved, (made[0].shape[-2], made[0].shape[-1]))
    return tuple(made), target


def read_target(target: Any) -> Any:
    """A target as it is, or as its file holds it; an array's row as a tensor."""
    if isinstance(target, Path):
        return read_mask(target)
    if isinstance(target, np.ndarray):
        return torch.from_numpy(target)
    return target.read() if hasattr(target, "read") else target


def maps_of(target: Any, size: Sequence[int], kind: str) -> Any:
    """A target that moves with its image (H, W), as torchvision's transforms know it; None where none does."""
    from torchvision import tv_tensors

    if kind == "pixels":
        return tv_tensors.Mask(target[None])
    if kind == "boxes":
        pixels = target[target[:, 4] >= 0][:, :4] * target.new_tensor([size[1], size[0]] * 2)
        return tv_tensors.BoundingBoxes(pixels, format="XYXY", canvas_size=(size[0], size[1]))
    return None


def plain_target(target: Any, moved: Any, size: tuple[int, int]) -> Any:
    """The target after its image was transformed: a mask (H, W), boxes (most, 5)."""
    from torchvision import tv_tensors

    if moved is None:
        return target
    if isinstance(moved, tv_tensors.Mask):
        return moved.as_subclass(Tensor)[0]
    shares = moved.as_subclass(Tensor) / target.new_tensor([size[1], size[0]] * 2)
    return kept_boxes(torch.cat([shares, target[target[:, 4] >= 0][:, 4:]], dim=1), len(target))


def transformed(image: Any, moving: Any, transforms: Sequence[Any], seed: int | None) -> Any:
    """An image and what moves with it after all transforms, whose random numbers come from `seed`; torch's own
    generator stays as it is."""
    if not transforms:
        return image, moving
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        for transform in transforms:
            if moving is None:
                image = transform(image)
            else:
                image, moving = transform(image, moving)
    return image, moving


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
    targets = [target for _, target in examples]
    if isinstance(targets[0], Tensor):
        return tuple(inputs), torch.stack(targets)
    return tuple(inputs), torch.tensor(targets)


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
                    verb = "decoded" if isinstance(batch.source, Path) else "read"
                    raise SystemExit(f"{batch.source} cannot be {verb}: {batch.reason}")
                yield batch
        finally:
            self.busy = False
