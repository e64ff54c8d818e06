"""The names of classes are kept with the weights, and compared wherever these are used again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from specc.runtime.data.datasets import READERS, check_classes
from specc.runtime.data.images import Data, Images
from specc.runtime.train.levels import check_levels
from tests.helpers.scripts import run, write_project

SPEC = """
supernet shades {
  input image(1, 8, 8); classes 3
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3); relu }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=2)
data folder(path="images")
train { epochs=1; batch_size=8; calibrate=0 }
search { calibrate=0 }
"""
SCRIPTS = """
from pathlib import Path
import train, search, export
import elastic.deploy.exporting

elastic.deploy.exporting.write_onnx = lambda *args: None  # what takes longest

def attempt(module, *flags):
    sys.argv = [f"{module.__name__}.py", *flags]
    try:
        module.main()
        print(f"{module.__name__} {flags}: fine")
    except SystemExit as end:
        print(f"{module.__name__} {flags}: {end}")

def everything():
    resumed = ["--device", "cpu", "-j", "0", "--resume", "runs/checkpoint.pt"]
    attempt(train, *resumed, "--epochs", "2", "--output-dir", "again")
    attempt(train, *resumed, "--test-only")
    attempt(search, "--device", "cpu", "-j", "0")
    attempt(export, "--at", "min")

attempt(train, "--device", "cpu", "-j", "0")
everything()
print("renamed")
for part in ("train", "val"):
    (Path("images") / part / "bright").rename(Path("images") / part / "a light one")
everything()
"""


def names_of(count: int) -> Data:
    images = Images((0,), (torch.zeros(1, 1),))
    return Data("made", count, images, images, images, (0.0,), (1.0,), names=tuple(f"n{i}" for i in range(count)))


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (["n0", "n2", "n1"], "class 1 was n2, and is n1 in the data"),
        (["n0", "n1", "old"], "the data is without old and with n2"),
        (["n0", "n1", "n2", "n3"], "the data is without n3"),
        (["n0", "n1"], "the data is with n2"),
    ],
)
def test_other_classes_than_the_checkpoints_are_told(kept: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=f"the checkpoint was trained on other classes: {message}"):
        check_classes(names_of(3), 10, {"classes": kept})


def test_without_names_on_either_side_nothing_is_compared() -> None:
    kept: list[dict[str, Any]] = [{}, {"classes": None}, {"classes": []}, {"classes": ["n0", "n1", "n2"]}]
    for saved in (None, *kept):
        check_classes(names_of(3), 10, saved)
    check_classes(names_of(0), 10, {"classes": ["n0"]})


def test_a_table_of_labels_in_another_order_than_the_data_is_told(tmp_path: Path) -> None:
    """It would give every image the coarser class of another one. Names that the data does not have say nothing."""
    graph = tmp_path / "ir.json"
    for names, fine in ((["n0", "n1", "n2"], True), (["a", "b", "c"], True), (["n0", "n2", "n1"], False)):
        graph.write_text(json.dumps({"labels": [{"name": "fine"}, {"name": "coarse", "of": names}]}))
        if fine:
            check_levels(names_of(3), graph)
            continue
        message = "the labels of level coarse name n2 as class 1; in made it is class 2"
        with pytest.raises(SystemExit, match=message):
            check_levels(names_of(3), graph)


def test_built_in_data_has_names() -> None:
    settings: dict[str, Any] = {"name": "digits", "path": "", "validation": 0.2, "seed": 0, "test": 0.2}
    assert READERS["digits"](Path(), settings).names == tuple("0123456789")
    few = {**settings, "images": 30, "test_images": 10, "classes": 12}
    assert READERS["glyphs"](Path(), few).names == tuple("0123456789AB")


def test_a_class_that_is_renamed_after_training_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a run that goes on, by --test-only, by the search and by the export, each before it does anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_project(tmp_path / "net", SPEC, "")
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for k, name in enumerate(("black", "bright", "grey")):
            (folder / "images" / part / name).mkdir(parents=True)
            for i in range(6):
                shade = rng.integers(80 * k, 80 * k + 60, (8, 8), dtype=np.uint8)
                Image.fromarray(shade).save(folder / "images" / part / name / f"{i}.png")
    before, _, after = run(folder, SCRIPTS).partition("renamed")
    assert before.count(": fine") == 5, before
    lines = [line for line in after.splitlines() if line.startswith(("train", "search", "export"))]
    assert len(lines) == 4
    for line in lines:
        assert line.endswith("trained on other classes: the data is without bright and with a light one"), line
    saved = torch.load(folder / "runs" / "checkpoint.pt", weights_only=True)
    assert saved["classes"] == ["black", "bright", "grey"]
    assert json.loads((folder / "runs" / "export" / "subnet.json").read_text())["classes"] == saved["classes"]
