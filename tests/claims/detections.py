"""Average precision of boxes, beside COCO's own program: pycocotools, which torchmetrics counts by as well.

    python -m venv coco
    coco/bin/pip install pycocotools
    python -m tests.claims.detections --python coco/bin/python

Random objects, and boxes near them and elsewhere: of few and of many classes, of crowded and of empty images, with
scores of which some are equal, up to a hundred boxes in an image. Both see the same numbers, in double precision.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
import torchvision
from torch import Tensor

from specc.runtime.train.detections import THRESHOLDS, average_precision
from tests.claims.table import Figure, show

Row: TypeAlias = list[float]
"""Left, top, right, bottom, class; of a box that is found its score, too."""

REFERENCE: Final = """
import contextlib, importlib.metadata, json, os, sys, time
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

def places(row):
    left, top, right, bottom, label = row[:5]
    return {"bbox": [left, top, right - left, bottom - top], "category_id": int(label) + 1}

asked = json.load(sys.stdin)
answers = []
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    for scenes in asked["sets"]:
        images, objects, found = [], [], []
        for number, (targets, boxes) in enumerate(scenes["images"], start=1):
            images.append({"id": number})
            for row in targets:
                area = (row[2] - row[0]) * (row[3] - row[1])
                about = {"id": len(objects) + 1, "image_id": number, "iscrowd": 0, "area": area}
                objects.append(about | places(row))
            found += [{"image_id": number, "score": row[5]} | places(row) for row in boxes]
        truth = COCO()
        categories = [{"id": label + 1} for label in range(scenes["classes"])]
        truth.dataset = {"info": {}, "images": images, "annotations": objects, "categories": categories}
        truth.createIndex()
        start = time.perf_counter()
        judged = COCOeval(truth, truth.loadRes(found), "bbox")
        judged.evaluate()
        judged.accumulate()
        # thresholds, recalls, classes, areas (all is the first), most boxes (100 is the last); -1 for no such class
        precision = judged.eval["precision"][:, :, :, 0, -1]
        seconds = time.perf_counter() - start
        rows = [row[row > -1] for row in precision]
        answers.append({"precision": [float(row.mean()) for row in rows], "seconds": seconds})
json.dump({"version": importlib.metadata.version("pycocotools"), "answers": answers}, sys.stdout)
"""


@dataclass(frozen=True)
class Setting:
    """How scenes are drawn: the images, the classes, objects and stray boxes in an image at most, digits of scores."""

    name: str
    images: int
    classes: int
    objects: int
    stray: int
    digits: int


SETTINGS: Final = (
    Setting("one class, few boxes", 50, 1, 2, 2, 6),
    Setting("eight classes", 200, 8, 4, 6, 6),
    Setting("many equal scores", 100, 3, 4, 6, 1),
    Setting("crowded images", 40, 5, 20, 20, 6),
    Setting("eighty classes", 500, 80, 8, 10, 6),
)


def scene(rng: random.Random, setting: Setting) -> tuple[list[Row], list[Row]]:
    """The objects of an image and the boxes that are found in it, a hundred at most."""

    def box() -> Row:
        x, y = rng.random() * 0.7, rng.random() * 0.7
        return [x, y, x + 0.05 + rng.random() * 0.25, y + 0.05 + rng.random() * 0.25]

    def label() -> float:
        return float(rng.randrange(setting.classes))

    def found(corners: Row, of: float) -> Row:
        return [*corners, of, round(rng.random(), setting.digits)]

    targets = [[*box(), label()] for _ in range(rng.randint(0, setting.objects))]
    boxes = [
        found([side + rng.gauss(0, 0.01) for side in target[:4]], target[4] if rng.random() < 0.9 else label())
        for target in targets
        for _ in range(rng.randint(0, 3))
    ]
    boxes += [found(box(), label()) for _ in range(rng.randint(0, setting.stray))]
    return targets, [row for row in boxes if row[2] > row[0] and row[3] > row[1]][:100]


def padded(rows: Sequence[Row], most: int, width: int) -> Tensor:
    return torch.tensor([*rows, *[[-1.0] * width] * (most - len(rows))], dtype=torch.float64).view(most, width)


def ours(scenes: Sequence[tuple[list[Row], list[Row]]], classes: int) -> dict[str, Any]:
    most = max(len(targets) for targets, _ in scenes)
    boxes = torch.stack([padded(boxes, 100, 6) for _, boxes in scenes])
    targets = torch.stack([padded(targets, most, 5) for targets, _ in scenes])
    start = time.perf_counter()
    precision = average_precision(boxes, targets, classes)
    return {"precision": precision, "seconds": time.perf_counter() - start}


def reference(python: str, sets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-c", REFERENCE], input=json.dumps({"sets": sets}), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def figures(python: str, seeds: int) -> Iterator[tuple[str, Figure]]:
    """A row for each setting, with the version of pycocotools."""
    for setting in SETTINGS:
        sets: list[dict[str, Any]] = []
        for seed in range(seeds):
            rng = random.Random(seed)
            images = [scene(rng, setting) for _ in range(setting.images)]
            sets.append({"classes": setting.classes, "images": images})
        theirs = reference(python, sets)
        apart, values, times = 0.0, [], [0.0, 0.0]
        for drawn, wanted in zip(sets, theirs["answers"], strict=True):
            found = ours(drawn["images"], setting.classes)
            pairs = zip(found["precision"], wanted["precision"], strict=True)
            apart = max(apart, *(abs(mine - other) for mine, other in pairs))
            values.append(sum(found["precision"]) / len(THRESHOLDS))
            times = [times[0] + found["seconds"], times[1] + wanted["seconds"]]
        text = (
            f"mAP {min(values):.2%} to {max(values):.2%}; at no threshold further apart than {apart:.0e}; "
            f"{times[0] / seeds:.2f} s for {setting.images} images"
        )
        yield theirs["version"], Figure(setting.name, text, f"{times[1] / seeds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="coco/bin/python", help="that pycocotools is installed for")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [*figures(str(Path(args.python).absolute()), args.seeds)]
    show(
        "Mean average precision, beside COCO's own program",
        f"The right column is pycocotools {rows[0][0]}; torch {torch.__version__}, torchvision "
        f"{torchvision.__version__}. Random objects and boxes, seeds 0 to {args.seeds - 1}; compared are all ten "
        "thresholds of every set. One thread; pycocotools counts four ranges of areas, ours the one of all.",
        [figure for _, figure in rows],
    )


if __name__ == "__main__":
    main()
