"""Photographs with the objects that people marked in them, as masks, boxes or tags: what VOC's and COCO's share."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from elastic.data.folders import ORIENTATION, listed, threads
from elastic.data.images import Images, Parts, Targets
from elastic.data.masks import Polygons, read_mask
from elastic.data.targets import NOT_JUDGED, Wanted, targets_of

ALL_READ: Final = 20_000
"""Masks that are all read before training; of more, as many of them."""

SIDEWAYS: Final = (5, 6, 7, 8)
"""EXIF's orientations that exchange height and width."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An image and what is marked in it.

    size     (height, width) in pixels
    objects  class, left, top, right, bottom of each, in pixels
    mask     where its mask lies, or how it is drawn; None where there is none
    """

    file: Path
    size: tuple[int, int]
    objects: tuple[tuple[int, float, float, float, float], ...] = ()
    mask: Path | Polygons | None = None


def parts_of(
    name: str,
    train: Sequence[Photo],
    test: Sequence[Photo],
    names: tuple[str, ...],
    settings: Mapping[str, Any],
    task: Wanted,
) -> Parts:
    """Training and test data of photographs, with the targets of a task. A share `test` is held out of the training
    part where there are no test images. `names` are the objects' classes. Exits where these do not fit."""
    if not test:
        train, test = shared(train, float(settings.get("test", 0.2)), int(settings["seed"]))
    if not train or not test:
        raise SystemExit(f"{name}: {len(train)} images for training and {len(test)} for testing")
    known = names
    if task.kind == "pixels" and names:
        known = ("background", *names)
    if task.kind == "tags" and len(known) != task.count:
        raise SystemExit(
            f"{name}: there are {len(known)} classes, and the network has {task.count} tags"
        )
    if len(known) > task.count:
        few = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise SystemExit(
            f"{name}: there are {len(known)} classes ({few}), and the network has {task.count}"
        )
    made = []
    for part, photos in (("training", train), ("test", test)):
        if task.kind == "pixels":
            check_masks(name, photos, task.count)
        targets = answers(name, part, photos, task)
        made.append(Images(targets, files=tuple(photo.file for photo in photos)))
    return Parts(made[0], made[1], known)


def shared(
    photos: Sequence[Photo], share: float, seed: int
) -> tuple[Sequence[Photo], Sequence[Photo]]:
    """(the rest, a share of them), chosen by `seed`."""
    order = list(range(len(photos)))
    random.Random(seed).shuffle(order)
    held = {*order[: max(1, round(share * len(order)))]} if len(order) > 1 else set()
    rest = [photo for i, photo in enumerate(photos) if i not in held]
    return rest, [photo for i, photo in enumerate(photos) if i in held]


def answers(name: str, part: str, photos: Sequence[Photo], task: Wanted) -> Targets:
    """What a task predicts of photographs. Exits where nothing of that is marked."""
    if task.kind == "pixels":
        return tuple(photo.mask for photo in photos)
    if task.kind == "tags":
        found = torch.zeros(len(photos), task.count)
        for i, photo in enumerate(photos):
            for marked in photo.objects:
                found[i, marked[0]] = 1
    elif task.kind == "boxes":
        found = boxes_of(photos)
    else:
        raise SystemExit(
            f"{name} has masks, boxes and tags of images, and the network predicts {task.kind}"
        )
    try:
        return targets_of(found, part, task)
    except ValueError as error:
        raise SystemExit(f"{name}: {error}") from None


def boxes_of(photos: Sequence[Photo]) -> Tensor:
    """Boxes (N, most, 5), cut off at the image's edges: left, top, right, bottom as shares, and the class; -1 where
    there are no more. Boxes without a pixel are left out."""
    rows = []
    for photo in photos:
        height, width = photo.size
        kept = []
        for number, left, top, right, bottom in photo.objects:
            corners = [left / width, top / height, right / width, bottom / height]
            left, top, right, bottom = (min(max(corner, 0.0), 1.0) for corner in corners)
            if right > left and bottom > top:
                kept.append([left, top, right, bottom, float(number)])
        rows.append(kept)
    made = torch.full((len(photos), max(1, *map(len, rows)) if rows else 1, 5), -1.0)
    for i, kept in enumerate(rows):
        if kept:
            made[i, : len(kept)] = torch.tensor(kept)
    return made


def check_masks(name: str, photos: Sequence[Photo], classes: int) -> None:
    """Exits with the masks that have other sizes than their images, classes beyond the network's, or that cannot be
    read; and where no pixel of any is judged."""
    some = photos
    if len(photos) > ALL_READ:
        some = random.Random(0).sample(photos, ALL_READ)
    broken: dict[Path, str] = {}
    judged = False
    with ThreadPoolExecutor(threads()) as pool:
        for photo, (reason, counts) in zip(
            some, pool.map(lambda photo: mask_problem(photo, classes), some), strict=True
        ):
            judged = judged or counts
            if reason is not None:
                broken[photo.mask if isinstance(photo.mask, Path) else photo.file] = reason
    if broken:
        raise SystemExit(f"{name}: " + listed(broken, "mask", "cannot be used"))
    if not judged:
        raise SystemExit(
            f"{name}: all pixels of all masks are {NOT_JUDGED}, which is not judged: nothing is left to learn"
        )


def mask_problem(photo: Photo, classes: int) -> tuple[str | None, bool]:
    """What is wrong with a mask, None for nothing; and whether any pixel of it is judged."""
    assert photo.mask is not None
    try:
        mask = photo.mask.read() if isinstance(photo.mask, Polygons) else read_mask(photo.mask)
        size = size_of(photo.file) if isinstance(photo.mask, Path) else photo.size
    except Exception as error:  # decoders raise all kinds
        return " ".join(str(error).split()) or type(error).__name__, True
    if tuple(mask.shape) != size:
        height, width = mask.shape
        return f"it is {height}x{width}, and its image {size[0]}x{size[1]}", True
    judged = mask != NOT_JUDGED
    beyond = judged & (mask >= classes)
    if bool(beyond.any()):
        number = int(mask[beyond][0])
        return f"it has the class {number}, and the network {classes} classes, from 0", True
    return None, bool(judged.any())


def size_of(file: Path) -> tuple[int, int]:
    """(height, width) of an image as it is looked at, from its header alone."""
    from PIL import Image

    with Image.open(file) as picture:
        width, height = picture.size
        try:
            turned = picture.getexif().get(ORIENTATION, 1) in SIDEWAYS
        except Exception:  # damaged EXIF
            turned = False
    return (width, height) if turned else (height, width)
