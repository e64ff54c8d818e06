"""What a search's journal depends on: the content of weights and images, not their names or dates."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from specc.runtime.data.images import Images
from tests.helpers.scripted import Scripts
from tests.helpers.scripts import write_project

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 2
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  head { pool(avg); linear(classes) }
}
METHOD
data folder(path="pictures")
train { epochs=1; batch_size=16; calibrate=8 }
search { calibrate=8 }
"""


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    folder = write_project(tmp_path_factory.mktemp("contents"), SPEC, "method us_net")
    for part, count in (("train", 20), ("val", 6)):
        for i, label in ((i, label) for label in ("cat", "dog") for i in range(count)):
            picture(folder / "pictures" / part / label / f"{i}.png", i)
    with Scripts(folder) as found:
        assert found("train.py", "-j", "0").code == 0
        yield found


def again(scripts: Scripts, file: str = "runs/checkpoint.pt") -> str:
    """The search's line on what it evaluated."""
    ended = scripts("search.py", "-j", "0", "--checkpoint", file)
    assert ended.code == 0, ended.raised or ended.err
    return next(line for line in ended.out.splitlines() if line.startswith("evaluated"))


def test_evaluations_are_those_of_their_images(scripts: Scripts) -> None:
    """Overwritten images of equal names, sizes and dates are others; touched ones are the same."""
    assert "earlier" not in again(scripts)
    assert "2 of them in earlier runs" in again(scripts)
    for path in (scripts.folder / "pictures").rglob("*.png"):
        os.utime(path, (1e9, 1e9))
    assert "2 of them in earlier runs" in again(scripts)
    file = scripts.folder / "pictures" / "val" / "dog" / "3.png"
    size = file.stat().st_size
    before = file.read_bytes()
    picture(file, 77)
    os.utime(file, (1e9, 1e9))
    assert file.stat().st_size == size
    assert "earlier" not in again(scripts)
    file.write_bytes(before)
    assert "2 of them in earlier runs" in again(scripts)


def test_evaluations_are_those_of_their_weights(scripts: Scripts, tmp_path: Path) -> None:
    """A copy of the checkpoint, or one that goes on without new weights, is the same network; other weights are not."""
    again(scripts)
    shutil.copy(scripts.folder / "runs" / "checkpoint.pt", tmp_path / "copy.pt")
    saved = torch.load(tmp_path / "copy.pt", weights_only=True)
    torch.save(saved | {"epoch": 7}, tmp_path / "copy.pt")
    assert "2 of them in earlier runs" in again(scripts, f"{tmp_path}/copy.pt")
    saved["net"]["head.linear.bias"][0] += 1e-3
    torch.save(saved, tmp_path / "copy.pt")
    assert "earlier" not in again(scripts, f"{tmp_path}/copy.pt")


def test_a_front_says_of_which_network_and_weights_it_is(scripts: Scripts) -> None:
    again(scripts)
    front = json.loads((scripts.folder / "runs" / "pareto.json").read_text())
    assert (len(front["fingerprint"]), len(front["weights"])) == (16, 16)
    saved = torch.load(scripts.folder / "runs" / "checkpoint.pt", weights_only=True)
    assert front["fingerprint"] == saved["network"]


def test_a_digest_is_of_content_and_order(tmp_path: Path) -> None:
    files = tuple(tmp_path / name / f"{i}.png" for name in ("a", "b") for i in range(3))
    for i, file in enumerate(files):
        picture(file, i)
    images = Images((0, 0, 0, 1, 1, 1), files=files)
    first = images.digest()
    assert images.digest() == first
    assert Images((0, 0, 0, 1, 1, 0), files=files).digest() != first
    order = [*range(6)]
    random.Random(0).shuffle(order)
    assert images.take(order).digest() != first
    picture(files[4], 9)
    assert images.digest() != first
    assert images.digest(files=False) == Images((0, 0, 0, 1, 1, 1), files=files).digest(files=False)
