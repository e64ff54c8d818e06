"""Folders of images and masks: for every image a mask of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from elastic.data.annotated import Photo, parts_of
from elastic.data.folders import images_below
from elastic.data.images import Parts
from elastic.data.targets import Wanted

IMAGES: Final = ("images", "image", "imgs", "img")
MASKS: Final = ("masks", "mask", "labels", "annotations")
HELD: Final = ("test", "val", "valid", "validation")
"""What people call their folders."""

WANTED: Final = (
    "images/ and masks/ of the same names, in train/ and val/ (or test/) or beside each other"
)


def mask_folders(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """`train/images`, `train/masks` and `val/..` or `test/..`; or `images/train`, `masks/train` and so on; or `images`
    and `masks` alone, of which a share `test` is held out. Pixels of 255 are not judged."""
    if task.kind != "pixels":
        raise SystemExit(f"masks has a class for each pixel, and the network predicts {task.kind}")
    train = pair(folder, "train") or pair(folder, "")
    if train is None:
        raise SystemExit(f"masks: {folder} holds no {WANTED}; name the folder with --data-path")
    test = next((found for part in HELD if (found := pair(folder, part)) is not None), None)
    photos = pairs(*train)
    return parts_of("masks", photos, [] if test is None else pairs(*test), (), settings, task)


def pair(root: Path, part: str) -> tuple[Path, Path] | None:
    """The folders of a part's images and masks; None where there are none."""
    for images in IMAGES:
        for masks in MASKS:
            for places in (
                (root / part / images, root / part / masks),
                (root / images / part, root / masks / part),
            ):
                if all(place.is_dir() for place in places):
                    return places
    return None


def pairs(images: Path, masks: Path) -> list[Photo]:
    """Every image with its mask. Exits where one has no mask, or two."""
    found: dict[str, Path] = {}
    for mask in sorted(images_below(masks, [])):
        name = mask.relative_to(masks).with_suffix("").as_posix()
        if name in found:
            raise SystemExit(f"masks: {found[name]} and {mask} are masks of one image")
        found[name] = mask
    photos = []
    for image in sorted(images_below(images, [])):
        name = image.relative_to(images).with_suffix("").as_posix()
        if name not in found:
            raise SystemExit(f"masks: {image} has no mask; {masks / name}.png is wanted")
        photos.append(Photo(image, (0, 0), mask=found[name]))
    if not photos:
        raise SystemExit(f"masks: {images} holds no images")
    return photos
