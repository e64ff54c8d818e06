"""Batches at their limits: larger than the data, of one image; and worker processes that change nothing."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from specc.runtime.data.images import Data, Images, Inputs
from specc.runtime.data.loading import Loading
from specc.runtime.data.reading import Example, Files
from specc.runtime.run.distributed import World
from tests.helpers.steps import trainer_of

CPU = torch.device("cpu")
WORDS: list[dict[str, Any]] = [{"name": "trivialaugment"}, {"name": "flip"}]


def data(count: int) -> Data:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)
    images = Images(tuple(i % 3 for i in range(count)), (pixels,))
    return Data("made", 3, images, images, images, (0.5,), (0.25,))


def one(inputs: Inputs) -> Tensor:
    assert isinstance(inputs, Tensor)
    return inputs


def epoch(loading: Loading, batch_size: int, parts: int = 1, words: Iterable[Any] = ()) -> list[tuple[Tensor, Tensor]]:
    return [(one(x), y) for x, y in loading.training(batch_size, [*words], 0, 0, parts=parts)]


def gradient(net: nn.Module, batches: list[tuple[Tensor, Tensor]], parts: int) -> Tensor:
    """What the update of a batch in parts goes by."""
    trainer = trainer_of(net)
    trainer.parts = parts
    for images, labels in batches:
        for plan in trainer.passes([None]):
            trainer.backward(trainer.criterion(trainer.forward(images, plan), labels))
        trainer.part = (trainer.part + 1) % parts
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


@pytest.mark.parametrize(("ranks", "parts"), [(1, 1), (1, 4), (2, 1), (2, 2)])
def test_a_batch_larger_than_the_data_is_all_of_it(ranks: int, parts: int) -> None:
    """Cut evenly among processes and parts; its gradient is that of all images at once."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    shares = [epoch(Loading(data(24), (1, 4, 4), World(rank, ranks, CPU)), 128, parts) for rank in range(ranks)]
    assert [len(share) for share in shares] == [parts] * ranks
    images = torch.cat([x for share in shares for x, _ in share])
    assert len({tuple(x.flatten().tolist()) for x in images}) == 24
    found = torch.stack([gradient(net, share, parts) for share in shares]).mean(dim=0)
    (whole,) = epoch(Loading(data(24), (1, 4, 4), World(0, 1, CPU)), 24)
    net.zero_grad()
    torch.testing.assert_close(found, gradient(net, [whole], 1))


def test_too_few_images_to_be_cut_are_refused() -> None:
    loading = Loading(data(3), (1, 4, 4), World(0, 2, CPU))
    with pytest.raises(SystemExit, match="a batch of 3 cannot be cut into 4 parts: there are 3 training images"):
        epoch(loading, 128, parts=2)


def test_no_batch_but_of_a_lone_image_holds_one() -> None:
    loading = Loading(data(9), (1, 4, 4), World(0, 1, CPU))
    fitting = loading.calibration(9, batch_size=4)
    assert fitting is not None
    assert [len(labels) for _, labels in fitting] == [4, 5]
    assert [len(labels) for _, labels in loading.evaluation(loading.data.test, batch_size=8)] == [9]
    alone = loading.calibration(1)
    assert alone is not None
    assert [len(labels) for _, labels in alone] == [1]


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(3), None])
def test_one_image_is_refused_where_a_norm_sees_a_vector(norm: nn.Module | None) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), norm or nn.Identity())
    ((images, _), *_) = epoch(Loading(data(2), (1, 4, 4), World(0, 1, CPU)), 1)
    trainer = trainer_of(net)
    if norm is None:
        assert trainer.forward(images, None).shape == (1, 3)
        return
    with pytest.raises(SystemExit, match=r"a batch norm sees one value of each channel.*--batch-size, --accumulate"):
        trainer.forward(images, None)


@pytest.fixture
def files(tmp_path: Path) -> Data:
    rng = np.random.default_rng(0)
    paths = []
    for i in range(12):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)).save(paths[-1])
    images = Images(tuple(i % 3 for i in range(12)), files=tuple(paths))
    return Data("folder", 3, images, images, images, (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("kind", ["arrays", "files"])
def test_an_epoch_is_the_same_for_every_number_of_workers(kind: str, files: Data) -> None:
    """And so is what the network draws meanwhile: worker processes take no random numbers of its."""
    found = []
    for workers in (0, 1, 2):
        torch.manual_seed(5)
        used, shape = (files, (3, 8, 8)) if kind == "files" else (data(12), (1, 4, 4))
        loading = Loading(used, shape, World(0, 1, CPU), workers)
        batches = epoch(loading, 4, words=WORDS)
        list(loading.evaluation(used.test))
        found.append((torch.cat([x for x, _ in batches]), torch.rand(1)))
    for images, drawn in found[1:]:
        assert torch.equal(images, found[0][0])
        assert torch.equal(drawn, found[0][1])


def test_processes_augment_as_one_process_does(files: Data) -> None:
    words = WORDS[:1]
    (whole, _), *_ = epoch(Loading(files, (3, 8, 8), World(0, 1, CPU)), 4, words=words)
    halves = [epoch(Loading(files, (3, 8, 8), World(rank, 2, CPU)), 4, words=words)[0][0] for rank in range(2)]
    assert torch.equal(whole, torch.cat(halves))


def test_workers_stay_from_epoch_to_epoch(files: Data) -> None:
    loading = Loading(files, (3, 8, 8), World(0, 1, CPU), workers=2)
    pids = []
    for number in range(3):
        list(loading.training(4, WORDS, 0, number))
        list(loading.evaluation(files.test))
        list(loading.evaluation(files.validation))
        iterators = [reader.loader._iterator for reader in loading.readers.values()]
        pids.append([worker.pid for iterator in iterators for worker in iterator._workers])  # type: ignore[union-attr]
    assert len(pids[0]) == 4
    assert pids[0] == pids[1] == pids[2]


def test_evaluating_in_the_middle_of_an_evaluation_disturbs_neither(files: Data) -> None:
    loading = Loading(files, (3, 8, 8), World(0, 1, CPU), workers=1)
    outer = loading.evaluation(files.test, batch_size=4)
    outer.keep = False
    wanted = [one(images).clone() for images, _ in outer]
    for (images, _), before in zip(outer, wanted, strict=True):
        inner = loading.evaluation(files.test, batch_size=12)
        assert torch.equal(one(next(iter(inner))[0]), torch.cat(wanted))
        assert torch.equal(one(images), before)
    next(iter(outer))  # left in the middle
    assert torch.equal(torch.cat([one(images) for images, _ in outer]), torch.cat(wanted))


def test_augmentation_leaves_torchs_own_random_numbers_alone(files: Data) -> None:
    from specc.runtime.data.augment import image_augmentation

    torch.manual_seed(0)
    before = torch.get_rng_state()
    read = Files((3, 8, 8), False, image_augmentation(WORDS, (8, 8)))
    first, second, other = (read[Example(files.train.files[0], 0, seed)] for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert isinstance(other, tuple)
    assert torch.equal(first[0][0], second[0][0])
    assert not torch.equal(first[0][0], other[0][0])


def test_what_workers_read_by_can_be_sent_to_them(files: Data) -> None:
    """Where processes are spawned and not forked, all of it is pickled."""
    from specc.runtime.data.augment import image_augmentation

    words: list[dict[str, Any]] = [*WORDS, {"name": "resized_crop", "smallest": 0.3}]
    read = Files((3, 8, 8), False, image_augmentation(words, (8, 8)))
    sent = pickle.loads(pickle.dumps(read))
    example = Example(files.train.files[0], 0, 7)
    assert torch.equal(read[example][0][0], sent[example][0][0])  # type: ignore[index]
