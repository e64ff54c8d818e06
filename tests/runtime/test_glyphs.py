"""`data glyphs`: the same pictures for everybody, of the classes they are said to be, and not too easy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.runtime.data.datasets import load_data
from specc.runtime.data.glyphs import CHARACTERS, characters, glyphs, rendered
from specc.runtime.data.keyed import hashed, uniform


def pixels(seed: int, split: int, count: int, side: int = 32, classes: int = 46) -> Tensor:
    found = rendered(seed, split, count, side, classes).arrays[0]
    return found[:]


def test_the_hash_is_splitmix64() -> None:
    """Its first numbers for the seed 1234567, as published with the algorithm's reference code."""
    places = np.array([(1234567 + k * 0x9E3779B97F4A7C15) % 2**64 for k in range(1, 6)], np.uint64)
    assert hashed(places).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_random_numbers_are_a_function_of_seed_split_image_and_place() -> None:
    everything = uniform(3, 0, np.arange(300), 0, 50)
    assert np.array_equal(uniform(3, 0, np.array([7, 200]), 10, 20), everything[[7, 200], 10:30])
    for seed, split in ((3, 1), (4, 0)):
        assert not np.intersect1d(uniform(seed, split, np.arange(300), 0, 50)[:, :3], everything[:, :3]).size > 20
    assert everything.min() >= 0
    assert everything.max() < 1
    assert abs(float(everything.mean()) - 0.5) < 0.01
    assert abs(float(everything.var()) - 1 / 12) < 0.002
    assert abs(float(np.corrcoef(everything[:, 0], everything[:, 1])[0, 1])) < 0.2


def test_an_image_does_not_depend_on_the_others() -> None:
    many = pixels(0, 0, 520)
    assert torch.equal(pixels(0, 0, 9), many[:9])
    assert torch.equal(pixels(0, 0, 505)[500:], many[500:505])
    assert not torch.equal(pixels(0, 1, 9), many[:9])
    assert not torch.equal(pixels(1, 0, 9), many[:9])


def test_the_first_images_are_the_ones_they_always_were() -> None:
    """Sums over the first eight. Other processors and fonts of other releases may round a few pixels differently."""
    sums = pixels(0, 0, 8).flatten(1).sum(dim=1).tolist()
    assert sums == pytest.approx(SUMS, rel=2e-3)


SUMS = [221647, 261634, 224451, 323091, 259325, 289234, 114922, 236517]


def test_classes_are_balanced_and_the_settings_hold() -> None:
    train, test = glyphs({"images": 92, "test_images": 10, "classes": 46, "size": 24, "seed": 5})
    assert train.arrays[0].shape == (92, 3, 24, 24)
    assert train.arrays[0].dtype == torch.uint8
    assert sorted(train.labels) == sorted([*range(46)] * 2)
    assert test.labels == tuple(range(10))
    few, _ = glyphs({"images": 20, "test_images": 10, "classes": 10})
    assert set(few.labels) == set(range(10))
    assert len(set(CHARACTERS)) == len(CHARACTERS) == 46
    for wrong in ({"classes": 47}, {"classes": 1}, {"size": 4}, {"size": 100}):
        with pytest.raises(SystemExit, match="glyphs come in 2 to 46 classes, 8 to 64 pixels a side"):
            glyphs({"images": 1, "test_images": 1, **wrong})


def test_every_character_is_drawn_whole_and_strokes_get_thicker() -> None:
    masks = characters()
    assert masks.shape[:2] == (46, 3)
    area = masks.sum(axis=(2, 3))
    assert (np.diff(area, axis=1) > 0).all()
    border = masks[:, :, [0, -1]].sum() + masks[:, :, :, [0, -1]].sum()
    assert border == 0
    flat = masks[:, 0].reshape(46, -1)
    apart = np.abs(flat[:, None] - flat[None]).sum(axis=2) + 1e9 * np.eye(46)
    assert apart.min() > 40  # n and h differ least: by the stem above the arch


def test_the_data_set_is_loaded_as_any_other() -> None:
    data = load_data({"name": "glyphs", "path": "", "validation": 0.2, "seed": 11, "images": 920, "test_images": 230})
    assert data.summary() == "glyphs: 736 training, 184 validation, 230 test images, 46 classes"
    assert all(0.3 < mean < 0.7 for mean in data.mean)
    assert all(0.2 < std < 0.4 for std in data.std)


def test_characters_stand_out_from_their_ground() -> None:
    """The nearest of the mean pictures' neighbours knows little: it takes more than one layer to read them."""
    train, test = pixels(0, 0, 920), pixels(0, 1, 230)
    means = torch.stack([train[c::46].float().mean(dim=0) for c in range(46)]).flatten(1)
    nearest = torch.cdist(test.float().flatten(1), means).argmin(dim=1)
    right = float((nearest == torch.arange(230) % 46).float().mean())
    assert right < 0.3


@pytest.mark.slow
def test_a_small_network_reads_them_and_a_narrow_one_less_well() -> None:
    def accuracy(width: int, epochs: int = 8) -> float:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        channels = 3
        for out, stride in ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (4, 1)):
            conv = nn.Conv2d(channels, out * width, 3, stride, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(out * width), nn.ReLU()]
            channels = out * width
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 46))
        images, labels = prepared(0)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
        steps = epochs * (len(images) // 128)
        schedule: Any = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps, pct_start=0.15)
        for step in range(steps):
            if step % (len(images) // 128) == 0:
                order = torch.randperm(len(images))
            batch = order[128 * (step % (len(images) // 128)) :][:128]
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        net.eval()
        images, labels = prepared(1)
        with torch.no_grad():
            return float((net(images).argmax(dim=1) == labels).float().mean())

    wide, narrow = accuracy(12), accuracy(4)
    assert wide >= 0.85
    assert narrow <= wide - 0.05


def prepared(split: int) -> tuple[Tensor, Tensor]:
    images = pixels(0, split, (11_500, 2_300)[split]).float() / 127.5 - 1
    return images, torch.arange(len(images)) % 46
