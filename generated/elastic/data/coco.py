"""Folders as those of COCO: images, and a JSON file of instances with boxes, polygons and runs of pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from elastic.data.annotated import Photo, parts_of
from elastic.data.images import Parts
from elastic.data.masks import Polygons, Ring, Runs
from elastic.data.targets import NOT_JUDGED, Wanted

TRAIN: Final = ("train", "train2017", "train2014")
HELD: Final = ("test", "val", "valid", "val2017", "val2014", "minival")
"""What people call the parts, in the names of JSON files and of folders."""


def coco(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """`annotations/instances_train2017.json` (or train.json, ..) with the images in `train2017/`,
    `images/train2017/` or `images/`; and the same of val or test, or a share `test` of the training part is held out.

    Classes are the categories, by their ids; in masks 0 is the background. Crowds are not judged in masks, and left
    out of boxes and tags. Exits where the folder is no such.
    """
    if task.kind not in ("pixels", "boxes", "tags"):
        raise SystemExit(
            f"coco has masks, boxes and tags of images, and the network predicts {task.kind}"
        )
    train = found_part(folder, TRAIN)
    if train is None:
        raise SystemExit(
            f"coco: {folder} holds no annotations/instances_train.json; name its folder with --data-path"
        )
    test = found_part(folder, HELD)
    photos, names = read_part(*train, folder, task)
    held: list[Photo] = []
    if test is not None:
        held, theirs = read_part(*test, folder, task)
        if theirs != names:
            odd = sorted({*names} ^ {*theirs})
            what = f", {odd[0]} for one" if odd else " in another order"
            raise SystemExit(f"coco: {train[0]} and {test[0]} hold different categories{what}")
    return parts_of("coco", photos, held, names, settings, task)


def found_part(root: Path, names: Sequence[str]) -> tuple[Path, str] | None:
    """The JSON file of a part, and what the part is called."""
    for name in names:
        for place in (
            root / "annotations" / f"instances_{name}.json",
            root / "annotations" / f"{name}.json",
            root / f"{name}.json",
            root / name / "_annotations.coco.json",
        ):
            if place.is_file():
                return place, name
    return None


def read_part(
    path: Path, part: str, root: Path, task: Wanted
) -> tuple[list[Photo], tuple[str, ...]]:
    """The images of a part, and the names of the categories. Exits, with the annotation, where something is missing."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        categories = sorted(told["categories"], key=lambda category: category["id"])
        numbers = {category["id"]: i for i, category in enumerate(categories)}
        images = {image["id"]: image for image in told["images"]}
        by_image: dict[Any, list[Mapping[str, Any]]] = {}
        for item in told["annotations"]:
            if item["image_id"] not in images:
                raise ValueError(f"annotation {item.get('id')} is of no image that is listed")
            if item["category_id"] not in numbers:
                raise ValueError(f"annotation {item.get('id')} is of no category that is listed")
            by_image.setdefault(item["image_id"], []).append(item)
        places = (root / part, root / "images" / part, root / "images", path.parent, root)
        photos = []
        for image in images.values():
            size = int(image["height"]), int(image["width"])
            items = by_image.get(image["id"], [])
            photos.append(
                Photo(
                    file_of(image["file_name"], places),
                    size,
                    tuple(boxes(items, numbers)),
                    drawn(items, numbers, size) if task.kind == "pixels" else None,
                )
            )
    except KeyError as error:
        raise SystemExit(f"coco: {path}: there is no {error}") from None
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(f"coco: {path}: {error}") from None
    return photos, tuple(str(category["name"]) for category in categories)


def file_of(name: str, places: Sequence[Path]) -> Path:
    """Where an image lies. Raises ValueError where it is in none of the places."""
    for place in places:
        if (place / name).is_file():
            return place / name
    raise ValueError(f"the image {name} is not in {places[0]}, nor beside it")


def boxes(
    items: Sequence[Mapping[str, Any]], numbers: Mapping[Any, int]
) -> list[tuple[int, float, float, float, float]]:
    """Class, left, top, right and bottom of every object that is no crowd. COCO has left, top, width and height."""
    found = []
    for item in items:
        if item.get("iscrowd"):
            continue
        left, top, width, height = map(float, item["bbox"])
        found.append((numbers[item["category_id"]], left, top, left + width, top + height))
    return found


def drawn(
    items: Sequence[Mapping[str, Any]], numbers: Mapping[Any, int], size: tuple[int, int]
) -> Polygons:
    """How a mask is drawn: large objects first, so that small ones on them are seen; crowds last, not judged."""
    shapes: list[Ring | Runs] = []
    order = sorted(
        items, key=lambda item: (bool(item.get("iscrowd")), -float(item.get("area", 0)), item["id"])
    )
    for item in order:
        number = NOT_JUDGED if item.get("iscrowd") else 1 + numbers[item["category_id"]]
        given = item.get("segmentation") or []
        if isinstance(given, dict):
            height, width = given["size"]
            if (height, width) != size:
                raise ValueError(
                    f"annotation {item['id']} is of {height}x{width} pixels, its image of {size}"
                )
            counts = given["counts"]
            shapes.append(Runs(number, np.array(unpacked(counts), np.int64)))
            continue
        for corners in given:
            if len(corners) % 2 or len(corners) < 6:
                raise ValueError(f"annotation {item['id']} has a polygon of {len(corners)} numbers")
            shapes.append(Ring(number, np.array(corners, np.float32)))
    return Polygons(size, tuple(shapes))


def unpacked(counts: Sequence[int] | str) -> Sequence[int]:
    """Lengths of runs: a list as it is; of a text five bits a character, low ones first, each from the third on as the
    difference from the last but one."""
    if not isinstance(counts, str):
        return counts
    found: list[int] = []
    at = 0
    while at < len(counts):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(counts[at]) - 48
            value |= (bits & 0x1F) << shift
            more = bool(bits & 0x20)
            at += 1
            shift += 5
        if bits & 0x10:
            value -= 1 << shift
        found.append(value + (found[-2] if len(found) > 2 else 0))
    return found
