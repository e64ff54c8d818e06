"""Folders of masks, and those of VOC's and COCO's shape: every pixel, box and tag is what the files say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from specc.runtime.data.coco import unpacked
from specc.runtime.data.datasets import load_data
from specc.runtime.data.images import Data
from specc.runtime.data.loading import Loading
from specc.runtime.data.masks import Polygons, Ring, Runs, within
from specc.runtime.data.targets import Kind
from specc.runtime.run.distributed import World

rng = np.random.default_rng(0)


def read(name: str, folder: Path, kind: str, count: int, **more: Any) -> Data:
    settings = {"name": name, "path": str(folder), "validation": 0.25, "seed": 0, "test": 0.25}
    return load_data({**settings, **more}, Kind(kind, count))


def batch(data: Data, side: int = 8, workers: int = 0) -> tuple[Any, Any]:
    loading = Loading(data, (3, side, side), World(0, 1, torch.device("cpu")), workers)
    return next(iter(loading.evaluation(data.test)))


def photo(path: Path, height: int = 8, width: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)


def mask(path: Path, numbers: Any, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(numbers, np.uint8))
    if palette:
        picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200] + [0] * 759)
    picture.save(path)


# --- folders of masks --------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["{part}/{what}", "{what}/{part}"])
@pytest.mark.parametrize("palette", [False, True])
def test_masks_go_with_images_of_their_names(layout: str, palette: bool, tmp_path: Path) -> None:
    numbers = rng.integers(0, 3, (12, 8, 8), np.uint8)
    for i, one in enumerate(numbers):
        part = "train" if i < 8 else "val"
        photo(tmp_path / layout.format(part=part, what="images") / f"a{i:02}.jpg")
        mask(tmp_path / layout.format(part=part, what="masks") / f"a{i:02}.png", one, palette)
    data = read("masks", tmp_path, "pixels", 3)
    assert [len(part) for part in data.parts] == [6, 2, 4]
    for workers in (0, 1):
        assert torch.equal(batch(data, workers=workers)[1], torch.from_numpy(numbers[8:]))
    large = batch(data, 16)[1]
    assert torch.equal(large, torch.from_numpy(numbers[8:].repeat(2, 1).repeat(2, 2)))
    assert data.test.digest() != data.train.digest()


def test_of_one_folder_a_share_is_held_out_and_255_is_not_judged(tmp_path: Path) -> None:
    for i in range(12):
        photo(tmp_path / "images" / f"{i}.png")
        mask(tmp_path / "masks" / f"{i}.png", np.full((8, 8), 255 if i % 2 else 1))
    data = read("masks", tmp_path, "pixels", 2)
    assert [len(part) for part in data.parts] == [7, 2, 3]
    assert {*batch(data)[1].flatten().tolist()} <= {1, 255}


def folder_of_masks(root: Path, count: int = 4) -> Path:
    for i in range(count):
        photo(root / "images" / f"{i}.png")
        mask(root / "masks" / f"{i}.png", np.full((8, 8), i % 2))
    return root


def test_masks_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    root = folder_of_masks(tmp_path)
    mask(root / "masks" / "1.png", np.full((8, 8), 7))
    mask(root / "masks" / "2.png", np.zeros((6, 8)))
    with pytest.raises(SystemExit) as stopped:
        read("masks", root, "pixels", 2, test=0.5)
    said = str(stopped.value)
    assert "masks: " in said
    assert "1.png: it has the class 7, and the network 2 classes, from 0" in said or "2.png: it is 6x8" in said
    shutil.rmtree(root / "masks")
    for i in range(4):
        mask(root / "masks" / f"{i}.png", np.full((8, 8), 255))
    with pytest.raises(SystemExit, match="all pixels of all masks are 255, which is not judged: nothing is left"):
        read("masks", root, "pixels", 2)
    photo(root / "masks" / "0.png")
    with pytest.raises(SystemExit, match=r"it has colours \(RGB\); a mask's pixels are class numbers"):
        read("masks", root, "pixels", 2)
    (root / "masks" / "3.png").unlink()
    with pytest.raises(SystemExit, match=r"3\.png has no mask; .*3\.png is wanted"):
        read("masks", root, "pixels", 2)
    with pytest.raises(SystemExit, match="holds no images/ and masks/ of the same names"):
        read("masks", tmp_path / "images", "pixels", 2)
    with pytest.raises(SystemExit, match="masks has a class for each pixel, and the network predicts values"):
        read("masks", root, "values", 2)


# --- VOC's shape -------------------------------------------------------------------------------------

XML = """<annotation><filename>{name}.jpg</filename><size><width>10</width><height>20</height><depth>3</depth></size>
{objects}</annotation>"""
OBJECT = """<object><name>{name}</name><difficult>{hard}</difficult><bndbox>
<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def voc_folder(root: Path) -> Path:
    """Six images of 20x10: even ones with a dog, all with a cat, the second with a difficult dog too."""
    for i in range(6):
        photo(root / "JPEGImages" / f"{i}.jpg", 20, 10)
        mask(root / "SegmentationClass" / f"{i}.png", np.full((20, 10), i % 3), palette=True)
        objects = OBJECT.format(1, 1, 5, 20, name="cat", hard=0)
        if i % 2 == 0:
            objects += OBJECT.format(6, 11, 10, 20, name="dog", hard=int(i == 2))
        (root / "Annotations").mkdir(exist_ok=True)
        (root / "Annotations" / f"{i}.xml").write_text(XML.format(name=i, objects=objects))
    for name in ("Main", "Segmentation"):
        (root / "ImageSets" / name).mkdir(parents=True)
        (root / "ImageSets" / name / "train.txt").write_text("0\n1\n3\n")
        (root / "ImageSets" / name / "val.txt").write_text("2\n4 1\n")
    return root


def test_voc_has_masks_boxes_and_tags(tmp_path: Path) -> None:
    root = voc_folder(tmp_path)
    masks = read("voc", tmp_path, "pixels", 3, validation=0.0)
    assert [file.name for file in masks.train.files] == ["0.jpg", "1.jpg", "3.jpg"]
    assert batch(masks)[1].flatten(1).unique(dim=1).flatten().tolist() == [2, 1]
    boxes = read("voc", tmp_path, "boxes", 2)
    assert boxes.names == ("cat", "dog")
    none, cat, dog = [-1.0] * 5, [0, 0, 0.5, 1, 0], [0.5, 0.5, 1, 1, 1]
    torch.testing.assert_close(batch(boxes)[1], torch.tensor([[cat, none], [cat, dog]]))
    assert batch(read("voc", tmp_path, "tags", 2))[1].tolist() == [[1, 1], [1, 1]]
    shutil.rmtree(root / "ImageSets")
    assert sum(map(len, read("voc", tmp_path, "tags", 2).parts)) == 6
    with pytest.raises(SystemExit, match=r"voc: there are 2 classes \(cat, dog\), and the network has 1"):
        read("voc", tmp_path, "boxes", 1)
    with pytest.raises(SystemExit, match="voc: there are 2 classes, and the network has 5 tags"):
        read("voc", tmp_path, "tags", 5)
    with pytest.raises(SystemExit, match="voc has masks, boxes and tags of images, and the network predicts classes"):
        read("voc", tmp_path, "classes", 5)
    (root / "Annotations" / "3.xml").write_text(XML.format(name=3, objects="<object><name>cat</name></object>"))
    with pytest.raises(SystemExit, match=r"3\.xml: there is no <bndbox><xmin>"):
        read("voc", tmp_path, "boxes", 2)
    with pytest.raises(SystemExit, match="holds no folder JPEGImages"):
        read("voc", tmp_path / "Annotations", "boxes", 2)


# --- COCO's shape ------------------------------------------------------------------------------------


def coco_file(root: Path, part: str, images: int, items: list[dict[str, Any]]) -> None:
    for i in range(images):
        photo(root / part / f"{i}.jpg", 6, 8)
    told = {
        "images": [{"id": 10 + i, "file_name": f"{i}.jpg", "height": 6, "width": 8} for i in range(images)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [{"id": i, "iscrowd": 0, **item} for i, item in enumerate(items)],
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(told))


CAT = {"image_id": 10, "category_id": 3, "bbox": [1, 1, 3, 2], "area": 6, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}
DOG = {"image_id": 10, "category_id": 7, "bbox": [0, 0, 8, 6], "area": 48, "segmentation": [[0, 0, 8, 0, 8, 6, 0, 6]]}
CROWD = {
    "image_id": 11,
    "category_id": 3,
    "iscrowd": 1,
    "bbox": [0, 0, 1, 6],
    "area": 6,
    "segmentation": {"size": [6, 8], "counts": [0, 6, 42]},
}


def test_coco_has_masks_boxes_and_tags(tmp_path: Path) -> None:
    coco_file(tmp_path, "train2017", 4, [CAT])
    coco_file(tmp_path, "val2017", 2, [CAT, DOG, CROWD])
    masks = read("coco", tmp_path, "pixels", 3)
    assert masks.names == ("background", "cat", "dog")
    loading = Loading(masks, (3, 6, 8), World(0, 1, torch.device("cpu")))
    first, second = next(iter(loading.evaluation(masks.test)))[1]
    expected = np.full((6, 8), 2)
    expected[1:3, 1:4] = 1  # the smaller one is drawn on the larger
    assert first.tolist() == expected.tolist()
    expected = np.zeros((6, 8))
    expected[:, 0] = 255  # a crowd is not judged
    assert second.tolist() == expected.tolist()
    boxes = batch(read("coco", tmp_path, "boxes", 2))[1]
    none = [-1.0] * 5
    torch.testing.assert_close(boxes, torch.tensor([[[1 / 8, 1 / 6, 4 / 8, 3 / 6, 0], [0, 0, 1, 1, 1]], [none, none]]))
    assert batch(read("coco", tmp_path, "tags", 2))[1].tolist() == [[1, 1], [0, 0]]
    with pytest.raises(SystemExit, match=r"3 classes \(background, cat, dog\), and the network has 2"):
        read("coco", tmp_path, "pixels", 2)


def test_what_is_wrong_with_a_file_of_coco_is_told(tmp_path: Path) -> None:
    for item, message in (
        ({**CAT, "image_id": 99}, "annotation 0 is of no image that is listed"),
        ({**CAT, "category_id": 4}, "annotation 0 is of no category that is listed"),
        ({**CAT, "segmentation": [[1, 1, 4]]}, "annotation 0 has a polygon of 3 numbers"),
        ({name: value for name, value in CAT.items() if name != "bbox"}, "there is no 'bbox'"),
        ({**CROWD, "segmentation": {"size": [6, 9], "counts": [54]}}, "annotation 0 is of 6x9 pixels"),
    ):
        coco_file(tmp_path, "train", 4, [item])
        with pytest.raises(SystemExit, match=message):
            read("coco", tmp_path, "pixels", 3)
    (tmp_path / "train" / "2.jpg").unlink()
    with pytest.raises(SystemExit, match=r"the image 2\.jpg is not in .*train, nor beside it"):
        read("coco", tmp_path, "tags", 2)
    (tmp_path / "annotations" / "instances_train.json").write_text("{")
    with pytest.raises(SystemExit, match=r"coco: .*instances_train.json: Expecting"):
        read("coco", tmp_path, "tags", 2)
    with pytest.raises(SystemExit, match=r"holds no annotations/instances_train.json"):
        read("coco", tmp_path / "train", "tags", 2)


def odd(corners: list[float], x: float, y: float) -> bool:
    """Whether a ray from a point to the left crosses an odd number of edges."""
    points = list(zip(corners[0::2], corners[1::2], strict=True))
    found = False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) / (y1 - y0) * (x1 - x0) < x:
            found = not found
    return found


def test_outlines_hold_the_pixels_whose_middle_is_inside() -> None:
    for corners in rng.uniform(-3, 20, (20, 10)).astype(np.float32):
        expected = [[odd(corners.tolist(), x + 0.5, y + 0.5) for x in range(17)] for y in range(12)]
        assert within(corners, 12, 17).tolist() == expected


def test_packed_runs() -> None:
    """COCO's own example: 0 0 1 1 1 0 1 are runs of 2, 3, 1 and 1; the last is written as 1 - 3 = -2."""
    assert unpacked("231N") == [2, 3, 1, 1]
    assert unpacked("PT1") == [1152]  # 0, 4 and 1: 4 * 32 + 1 * 32^2
    drawn = Polygons((7, 1), (Runs(5, np.array(unpacked("231N"))),)).read()
    assert drawn[:, 0].tolist() == [0, 0, 5, 5, 5, 0, 5]
    with pytest.raises(ValueError, match="runs of 7 pixels in an image of 4x2"):
        Polygons((4, 2), (Runs(5, np.array([2, 3, 1, 1])),)).read()
    ring = Polygons((4, 4), (Ring(300, np.array([0, 0, 4, 0, 4, 4, 0, 4], np.float32)),))
    assert {*ring.read().flatten().tolist()} == {300}
    assert ring.described() != Polygons((4, 4), ()).described()
