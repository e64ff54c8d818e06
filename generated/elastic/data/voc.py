"""Folders as those of PASCAL VOC: JPEGImages, SegmentationClass, Annotations and ImageSets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from elastic.data.annotated import Photo, parts_of
from elastic.data.folders import images_below
from elastic.data.images import Parts
from elastic.data.targets import Wanted

FOLDERS: Final[Mapping[str, str]] = {
    "pixels": "SegmentationClass",
    "boxes": "Annotations",
    "tags": "Annotations",
}
"""Where the targets of each kind lie."""

CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")


def voc(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """Images with masks for `classes each pixel`, whose colours are class numbers, and 255 is not judged; with boxes
    or tags from the XML files, whose classes are the objects' names in alphabetical order.

    The lists train.txt and val.txt of ImageSets name the images; where there are none, a share `test` is held out.
    Objects marked as difficult are left out of boxes. Exits where the folder is no such.
    """
    if task.kind not in FOLDERS:
        raise SystemExit(
            f"voc has masks, boxes and tags of images, and the network predicts {task.kind}"
        )
    root = next(
        (
            place
            for place in (folder, *sorted(folder.glob("VOC*")), *sorted(folder.glob("*/VOC*")))
            if (place / "JPEGImages").is_dir()
        ),
        None,
    )
    if root is None:
        raise SystemExit(
            f"voc: {folder} holds no folder JPEGImages; name its folder with --data-path"
        )
    given = root / FOLDERS[task.kind]
    if not given.is_dir():
        raise SystemExit(f"voc: there is no folder {given}")
    files = {file.stem: file for file in images_below(root / "JPEGImages", [])}
    lists = root / "ImageSets" / ("Segmentation" if task.kind == "pixels" else "Main")
    suffix = ".png" if task.kind == "pixels" else ".xml"
    if (lists / "train.txt").is_file() and (lists / "val.txt").is_file():
        parts = [listed_in(lists / f"{part}.txt") for part in ("train", "val")]
    else:
        parts = [sorted(file.stem for file in given.glob(f"*{suffix}") if file.stem in files), []]
    for name in (name for part in parts for name in part):
        if name not in files:
            raise SystemExit(f"voc: there is no image {root / 'JPEGImages' / name}.jpg")
        if not (given / f"{name}{suffix}").is_file():
            raise SystemExit(f"voc: there is no {given / name}{suffix}")
    if task.kind == "pixels":
        train, test = (
            [Photo(files[name], (0, 0), mask=given / f"{name}.png") for name in part]
            for part in parts
        )
        return parts_of("voc", train, test, (), settings, task)
    read = [[marked(given / f"{name}.xml") for name in part] for part in parts]
    names = tuple(
        sorted({number for part in read for _, objects in part for number, *_ in objects})
    )
    if not names:
        raise SystemExit(f"voc: no object is marked in {given}")
    train, test = (
        [
            Photo(
                files[stem],
                size,
                tuple(
                    (names.index(name), *corners)
                    for name, corners, difficult in objects
                    if not (difficult and task.kind == "boxes")
                ),
            )
            for stem, (size, objects) in zip(part, found, strict=True)
        ]
        for part, found in zip(parts, read, strict=True)
    )
    return parts_of("voc", train, test, names, settings, task)


def listed_in(path: Path) -> list[str]:
    """The names of a list of images; a second word of a line says more of it, which is not read."""
    return [
        line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    ]


Marked = tuple[str, tuple[float, float, float, float], bool]
"""An object's class, its corners in pixels, and whether it is marked as difficult."""


def marked(path: Path) -> tuple[tuple[int, int], list[Marked]]:
    """The size (height, width) of an image, and its objects. VOC counts pixels from 1, and a box holds its last one."""
    try:
        tree = ElementTree.parse(path).getroot()
        width, height = (int(float(text(tree, f"size/{side}"))) for side in ("width", "height"))
        if width < 1 or height < 1:
            raise ValueError(f"its size is {width}x{height}")
        objects: list[Marked] = []
        for item in tree.iter("object"):
            left, top, right, bottom = (float(text(item, f"bndbox/{side}")) for side in CORNERS)
            hard = (item.findtext("difficult") or "0").strip() == "1"
            objects.append((text(item, "name"), (left - 1, top - 1, right, bottom), hard))
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise SystemExit(f"voc: {path}: {error}") from None
    return (height, width), objects


def text(item: Any, path: str) -> str:
    """What an element below says. Raises ValueError where it is not there."""
    found = item.findtext(path)
    if found is None or not found.strip():
        raise ValueError(f"there is no <{path.replace('/', '><')}>")
    return str(found.strip())
