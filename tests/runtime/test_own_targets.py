"""Targets of one's own, of every kind, as arrays, memory maps and Datasets; what is refused before the first step."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specc.runtime.data.datasets import load_data
from specc.runtime.data.images import Data, split
from specc.runtime.data.loading import Loading
from specc.runtime.data.mapped import Mapped
from specc.runtime.data.targets import Kind
from specc.runtime.run.distributed import World
from tests.helpers.folders import ROOT
from tests.helpers.own_data import loaded, twice

WORLD = World(0, 1, torch.device("cpu"))
TEXT = (ROOT / "grammar" / "REFERENCE.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python own (\w+) (\d+)\n(.*?)^```$", TEXT, re.M | re.S)
SHAPES: dict[str, Any] = {"values": (13,), "classes": ((3, 16, 16), (1, 8, 8), (4,))}


class Task:
    def __init__(self, kind: str, count: int, scale: int = 1) -> None:
        self.kind, self.count, self.scale = kind, count, scale


def files(folder: Path) -> None:
    """The files that the examples of the reference read."""
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.integers(0, 256, (100, 3, 16, 16)).astype(np.uint8))
    np.save(folder / "masks.npy", rng.integers(0, 3, (100, 16, 16)).astype(np.uint8))
    x, y = rng.normal(3, 2, (100, 13)), rng.normal(40, 9, 100)
    np.savez(folder / "houses.npz", x=x[:80], y=y[:80], x_test=x[80:], y_test=y[80:])


def batch(data: Data, shape: Any, workers: int = 0) -> Any:
    return next(iter(Loading(data, shape, WORLD, workers).evaluation(data.test)))


@pytest.mark.parametrize(("kind", "count", "text"), EXAMPLES, ids=[kind for kind, _, _ in EXAMPLES])
def test_the_examples_of_the_reference_are_read(kind: str, count: str, text: str, tmp_path: Path) -> None:
    files(tmp_path)
    (tmp_path / "mine.py").write_text(text)
    settings = {"name": "own", "path": str(tmp_path / "mine.py"), "validation": 0.25, "seed": 0}
    data = load_data(settings, Kind(kind, int(count)))
    assert sum(map(len, data.parts)) == 100
    shape = SHAPES.get(kind, (3, 16, 16))
    loading = Loading(data, shape, WORLD)
    words: list[dict[str, Any]] = [] if kind == "values" else [{"name": "flip"}]
    inputs, targets = next(loading.training(10, words, 0, 0))
    assert [tuple(x.shape[1:]) for x in (inputs if isinstance(inputs, tuple) else (inputs,))] == (
        [*shape] if kind == "classes" else [shape]
    )
    rows = {"pixels": (16, 16), "restored": (3, 16, 16), "classes": ()}.get(kind, (int(count),))
    assert targets.shape == (10, *rows)


def test_all_kinds_have_an_example() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == {"classes", "pixels", "tags", "values", "restored"}


def test_values_are_learnt_with_mean_0_and_deviation_1(tmp_path: Path) -> None:
    body = "y = rng.normal(40, 9, (64, 2)); y[:, 1] = 5; return [(rng.normal(0, 1, (64, 3)), y)] * 2"
    data = loaded(tmp_path, body, Kind("values", 2))
    targets = torch.cat([t for _, t in Loading(data, (3,), WORLD).evaluation(data.train)])
    torch.testing.assert_close(targets.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    assert abs(float(targets[:, 0].std(correction=0)) - 1) < 1e-5
    assert torch.equal(targets[:, 1], torch.zeros(len(targets)))  # always the same: nothing to divide by


def test_memory_maps_stay_on_disk(tmp_path: Path) -> None:
    files(tmp_path)
    body = f"""x, m = (np.load(r"{tmp_path}/" + name, mmap_mode="r") for name in ("images.npy", "masks.npy"))
    return [(x[:60], m[:60]), (x[60:], m[60:])]"""
    data = loaded(tmp_path, body, Kind("pixels", 3))
    assert all(isinstance(rows, Mapped) for part in data.parts for rows in (*part.arrays, part.targets))
    whole, masks = (np.load(tmp_path / name) for name in ("images.npy", "masks.npy"))
    inputs, targets = batch(data, (3, 16, 16))
    assert torch.equal(targets, torch.from_numpy(masks[60:]))
    mean, std = (torch.tensor(row)[:, None, None] for row in (data.mean, data.std))
    torch.testing.assert_close(inputs, (torch.from_numpy(whole[60:]) / 255 - mean) / std)
    array = data.train.arrays[0]
    again = pickle.loads(pickle.dumps(array))
    assert torch.equal(again[:], array[:])
    assert len(pickle.dumps(array)) < 10_000  # its name, not its content
    parts = [data.train.digest(), split(data.train, 0.5, 0)[0].digest()]
    assert len({*parts, data.test.digest()}) == 3
    np.save(tmp_path / "images.npy", whole[::-1])
    assert loaded(tmp_path, body, Kind("pixels", 3)).train.digest() != parts[0]


def test_masks_of_a_memory_map_are_checked(tmp_path: Path) -> None:
    files(tmp_path)
    body = f"""x, m = (np.load(r"{tmp_path}/" + name, mmap_mode="r") for name in ("images.npy", "masks.npy"))
    return [(x[:60], m[:60]), (x[60:], m[60:])]"""
    with pytest.raises(SystemExit, match=r"training mask 0 has the class 2, and the network 2 classes, from 0"):
        loaded(tmp_path, body, Kind("pixels", 2))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataset_is_what_its_arrays_would_be(workers: int, tmp_path: Path) -> None:
    words: list[dict[str, Any]] = [
        {"name": "resized_crop", "smallest": 0.3},
        {"name": "flip"},
        {"name": "crop", "padding": 1},
    ]
    ours, theirs = (
        loaded(tmp_path, f"return [{made}(images, masks)] * 3".replace("tuple(images, masks)", "(images, masks)"), task)
        for made, task in (("Pairs", Kind("pixels", 4)), ("tuple", Kind("pixels", 4)))
    )
    for data in (ours, theirs):
        assert len(data.parts[1]) == 8
    for one, other in zip(batch(ours, (3, 6, 6), workers), batch(theirs, (3, 6, 6)), strict=True):
        torch.testing.assert_close(one, other)
    drawn = []
    for data in (ours, theirs):
        torch.manual_seed(5)
        drawn.append(next(Loading(data, (3, 6, 6), WORLD, workers).training(4, words, 0, 0)))
    torch.testing.assert_close(drawn[0][0], drawn[1][0])
    assert torch.equal(drawn[0][1], drawn[1][1])


REFUSED: dict[str, tuple[str, Any, str]] = {
    "class numbers as masks": (twice("images", "[0] * 8"), Kind("pixels", 4), r"int64 of the shape \(8,\); masks"),
    "float masks": (twice("images", "masks / 2"), Kind("pixels", 4), "float64 of the shape .*; masks"),
    "small masks": (twice("images", "masks[:, :3]"), Kind("pixels", 4), "images are 6x6 and their targets 3x6"),
    "nothing judged": (twice("images", "masks * 0 + 255"), Kind("pixels", 4), "nothing is left to learn"),
    "a class too many": (twice("images", "masks + 1"), Kind("pixels", 4), "has the class 4, and the network 4 classes"),
    "a negative class": (
        twice("images", "masks.astype(np.int64) - 1"),
        Kind("pixels", 4),
        "has the class -1, and the network 4",
    ),
    "fewer masks": (twice("images", "masks[:7]"), Kind("pixels", 4), "has 8 examples and 7 targets"),
    "class numbers as tags": (twice("images", "[0, 1] * 4"), Kind("tags", 3), r"shape \(8,\); tags, 0 or 1, \(N, 3\)"),
    "tags of two": (twice("images", "np.full((8, 3), 2)"), Kind("tags", 3), r"training target 0 is \[2.0, 2.0, 2.0\]"),
    "values with a gap": (
        twice("images", "[[1.0], [float('nan')]] * 4"),
        Kind("values", 1),
        "training target 1 holds NaN or infinity",
    ),
    "too few values": (twice("images", "np.zeros((8, 2))"), Kind("values", 3), r"\(8, 2\); values \(N, 3\)"),
    "words": (twice("images", "['a'] * 8"), Kind("values", 1), "training targets are no array of numbers"),
    "ranges of 255": (twice("images", "images * 1.0"), Kind("restored", 3), r"numbers from 0 to 255; images are"),
    "grey targets": (twice("images", "images[:, :1]"), Kind("restored", 3), r"images \(N, 3, H, W\) are wanted"),
    "not larger": (twice("images", "images"), Task("restored", 3, 2), "targets of 12x12, 2 times as large, are wanted"),
    "no boxes": (twice("images", "np.full((8, 2, 5), -1)"), Kind("boxes", 3), "no training image has a box"),
    "boxes in pixels": (
        twice("images", "np.array([[[0, 0, 4, 4, 1]]] * 8)"),
        Kind("boxes", 3),
        "box 0 of training image 0 has no share from 0 to 1",
    ),
    "boxes by their middle": (
        twice("images", "np.array([[[0.5, 0.5, 0.2, 0.2, 1]]] * 8)"),
        Kind("boxes", 3),
        "has no width or height: left, top, right, bottom",
    ),
    "one box for each image": (
        twice("images", "np.full((8, 5), 0.5)"),
        Kind("boxes", 3),
        r"the shape \(8, 5\); boxes \(N, most, 5\)",
    ),
    "boxes without a class": (twice("images", "np.full((8, 2, 4), 0.5)"), Kind("boxes", 3), r"\(8, 2, 4\); boxes"),
    "fewer boxes than images": (
        twice("images", "np.array([[[0, 0, 0.5, 0.5, 1]]] * 7)"),
        Kind("boxes", 3),
        "has 8 examples and 7 targets",
    ),
    "a box with a gap": (
        twice("images", "np.array([[[0, 0, float('nan'), 0.5, 1]]] * 8)"),
        Kind("boxes", 3),
        "box 0 of training image 0 ",
    ),
    "half a class": (
        twice("images", "np.array([[[0, 0, 0.5, 0.5, 0.5]]] * 8)"),
        Kind("boxes", 3),
        "box 0 of training image 0 ",
    ),
    "a box of no class": (
        twice("images", "np.array([[[0, 0, 0.5, 0.5, 3]]] * 8)"),
        Kind("boxes", 3),
        "has the class 3, and the network 3 classes, from 0",
    ),
    "a stream": (
        "return [type('Endless', (IterableDataset,), {'__iter__': None})()] * 2",
        Kind("classes", 2),
        "the training part is a Dataset without places",
    ),
    "a Dataset of images": (
        "return [Pairs(images, images).inputs, 3]",
        Kind("classes", 2),
        "the training part is no pair",
    ),
    "a Dataset of wrong masks": (
        "return [Pairs(images, masks[:, :2])] * 2",
        Kind("pixels", 4),
        "training example 0 of the Dataset: the training images are 6x6 and their targets 2x6",
    ),
    "a Dataset of words": (
        "return [Pairs(images, 'abcdefgh')] * 2",
        Kind("classes", 2),
        "training example 0 of the Dataset: its target is 'a'; a class number from 0 is wanted",
    ),
    "a Dataset of a class too many": (
        "return [Pairs(images, range(8))] * 2",
        Kind("classes", 2),
        "training example 2 of the Dataset: its class is 2, and the network has 2 classes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_targets_that_do_not_fit_are_refused_before_the_first_step(name: str, tmp_path: Path) -> None:
    body, task, message = REFUSED[name]
    with pytest.raises(SystemExit, match=message) as stopped:
        loaded(tmp_path, body, task)
    said = str(stopped.value)
    assert said.startswith(f"{tmp_path / 'mine.py'}: ")
    assert "\n" not in said
