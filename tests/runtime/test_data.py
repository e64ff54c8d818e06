"""Every data set's reader on small files made here; splits, loading, augmentation."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from specc.runtime.data import augment
from specc.runtime.data.datasets import IMAGENET_MEAN, READERS, load_data, plain
from specc.runtime.data.images import Data, Images, Inputs, split
from specc.runtime.data.loading import Loading, PlainBatches
from specc.runtime.data.moving import together_augmentation
from specc.runtime.data.reading import fitted
from specc.runtime.run.distributed import World

CPU = torch.device("cpu")


JITTER: dict[str, Any] = {"name": "color_jitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}


def settings(name: str, path: Path | str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "path": str(path), "validation": 0.25, "seed": 0, **more}


def write_image(path: Path, colour: int, size: tuple[int, int] = (12, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 255 - colour, 40)).save(path)


def test_digits_are_1797_real_images_split_by_seed() -> None:
    data = load_data(settings("digits", validation=0.15, test=0.2))
    sizes = [len(part) for part in (data.train, data.validation, data.test)]
    assert sum(sizes) == 1797
    assert 0.19 < sizes[2] / 1797 < 0.21
    assert data.summary() == "digits: 1,222 training, 216 validation, 359 test images, 10 classes"
    assert data.summary(10) == data.summary()
    assert "the network has 12 classes, and the data 10" in data.summary(12)
    assert pixels(data.train).shape[1:] == (1, 8, 8)
    again = load_data(settings("digits", validation=0.15, test=0.2))
    assert again.test.labels == data.test.labels
    other = load_data({**settings("digits", validation=0.15, test=0.2), "seed": 1})
    assert other.test.labels != data.test.labels or not torch.equal(pixels(other.test), pixels(data.test))
    assert {tuple(image) for image in pixels(data.test).flatten(1).tolist()}.isdisjoint(
        tuple(image) for image in pixels(data.train).flatten(1).tolist()
    )


def pixels(images: Images) -> Tensor:
    (array,) = images.arrays
    return array[:]


def one(inputs: Inputs) -> Tensor:
    """The batch of a network of one input."""
    assert isinstance(inputs, Tensor)
    return inputs


def first_of(batches: PlainBatches) -> tuple[Tensor, Tensor]:
    images, labels = next(iter(batches))
    return one(images), labels


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_is_read_from_idx_files(tmp_path: Path, zipped: bool) -> None:
    rng = np.random.default_rng(0)
    parts = {"train": 20, "t10k": 8}
    content = {name: rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for name, n in parts.items()}
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, count in parts.items():
        images = b"\0\0\x08\x03" + struct.pack(">iii", count, 28, 28) + content[name].tobytes()
        labels = b"\0\0\x08\x01" + struct.pack(">i", count) + bytes(i % 10 for i in range(count))
        for kind, payload in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{name}-{kind}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(payload) if zipped else payload)
    data = load_data(settings("MNIST", tmp_path))
    assert np.array_equal(pixels(data.test)[:, 0].numpy(), content["t10k"])
    assert data.test.labels == tuple(i % 10 for i in range(8))
    assert len(data.train) + len(data.validation) == 20


def test_damaged_files_of_mnist_and_cifar_are_named(tmp_path: Path) -> None:
    """Cut short, of other contents, or not what they are called."""
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        (tmp_path / name).write_bytes(b"\0\0\x08\x03" + struct.pack(">iii", 2, 2, 2) + bytes(8))
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"\0\0\x08\x01" + struct.pack(">i", 2) + bytes(2))
    assert len(load_data(settings("mnist", tmp_path, validation=0.0)).test) == 2
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    whole = images.read_bytes()
    for content, message in (
        (whole[:-1], "corrupt: it holds 7 bytes of 2x2x2"),
        (whole[:7], "no idx file"),
        (b"", "no"),
    ):
        images.write_bytes(content)
        with pytest.raises(SystemExit, match=f"{images} is {message}"):
            load_data(settings("mnist", tmp_path))
    images.unlink()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(whole)[:-9])
    with pytest.raises(SystemExit, match=r"ubyte\.gz cannot be read"):
        load_data(settings("mnist", tmp_path))
    images.write_bytes(whole)
    labels.write_bytes(b"\0\0\x08\x01" + struct.pack(">i", 3) + bytes(3))
    with pytest.raises(SystemExit, match="do not go together, they hold 2 images and 3 labels"):
        load_data(settings("mnist", tmp_path))

    good = {b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [0, 1]}
    write_pickle(tmp_path / "test", good)
    write_pickle(tmp_path / "train", good)
    assert len(load_data(settings("cifar100", tmp_path)).test) == 2
    odd: list[tuple[Any, str]] = [
        ({b"data": good[b"data"]}, "no CIFAR file: b'fine_labels'"),
        ({**good, b"fine_labels": [0]}, "corrupt: it holds 2 images, 1 labels"),
        ({**good, b"data": np.zeros(5, np.uint8)}, "no CIFAR file: cannot reshape"),
        ([1, 2], "no CIFAR file: it holds no dictionary"),
    ]
    for pickled, message in odd:
        write_pickle(tmp_path / "train", pickled)
        with pytest.raises(SystemExit, match=f"train is {message}"):
            load_data(settings("cifar100", tmp_path))
    write_pickle(tmp_path / "train", good)
    (tmp_path / "train").write_bytes((tmp_path / "train").read_bytes()[:-20])
    with pytest.raises(SystemExit, match="train is not a CIFAR file, or corrupt"):
        load_data(settings("cifar100", tmp_path))


def write_pickle(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def test_cifar_10_and_100_are_read_without_running_what_a_pickle_may_ask_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (4, 3072), dtype=np.uint8) for _ in range(6)]
    for i, batch in enumerate(batches):
        name = "test_batch" if i == 5 else f"data_batch_{i + 1}"
        write_pickle(tmp_path / "cifar-10-batches-py" / name, {b"data": batch, b"labels": [0, 1, 2, 9]})
    data = load_data(settings("CIFAR-10", tmp_path))
    assert np.array_equal(pixels(data.test).numpy().reshape(4, 3072), batches[5])
    assert len(data.train) + len(data.validation) == 20

    for name in ("train", "test"):
        labels = {b"data": batches[0], b"fine_labels": [0, 99, 5, 5], b"coarse_labels": [0, 1, 2, 3]}
        write_pickle(tmp_path / "cifar-100-python" / name, labels)
    data = load_data(settings("cifar100", tmp_path))
    assert (data.test.labels, data.names) == ((0, 99, 5, 5), ())
    write_pickle(tmp_path / "cifar-100-python" / "meta", {b"fine_label_names": [b"apple", b"baby"]})
    assert load_data(settings("cifar100", tmp_path)).names == ("apple", "baby")

    evil = tmp_path / "cifar-100-python" / "train"
    evil.write_bytes(b"cos\nsystem\n(S'echo harm'\ntR.")
    with pytest.raises(SystemExit, match=r"asks for os\.system"):
        load_data(settings("cifar100", tmp_path))


def test_tiny_imagenet_takes_its_validation_classes_from_the_annotations(tmp_path: Path) -> None:
    root = tmp_path / "tiny-imagenet-200"
    for i, name in enumerate(("n01", "n02")):
        for j in range(4):
            write_image(root / "train" / name / "images" / f"{name}_{j}.JPEG", 100 * i, (64, 64))
    rows = [("val_0.JPEG", "n02"), ("val_1.JPEG", "n01"), ("val_2.JPEG", "n02")]
    for file, name in rows:
        write_image(root / "val" / "images" / file, 100 * int(name == "n02"), (64, 64))
    lines = "".join(f"{file}\t{name}\t0\t0\t62\t62\n" for file, name in rows)
    (root / "val" / "val_annotations.txt").write_text(lines)
    data = load_data(settings("tiny_imagenet", tmp_path))
    assert data.test.labels == (1, 0, 1)
    assert data.mean == IMAGENET_MEAN
    images, labels = first_of(loading_of(data, (3, 64, 64)).evaluation(data.test))
    assert images.shape == (3, 3, 64, 64)
    assert labels.tolist() == [1, 0, 1]
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn77\t0\t0\t62\t62\n")
    with pytest.raises(SystemExit, match=r"val_0\.JPEG is of no class in"):
        load_data(settings("tiny_imagenet", tmp_path))


def test_cub_200_follows_its_own_split(tmp_path: Path) -> None:
    root = tmp_path / "CUB_200_2011"
    for i in range(6):
        write_image(root / "images" / f"c{i % 2}" / f"{i}.jpg", 40 * i)
    rows = {
        "images.txt": [f"c{i % 2}/{i}.jpg" for i in range(6)],
        "classes.txt": ["001.Black_footed_Albatross", "002.Laysan_Albatross"],
        "image_class_labels.txt": [str(i % 2 + 1) for i in range(6)],
        "train_test_split.txt": ["1", "1", "1", "1", "0", "0"],
    }
    for name, values in rows.items():
        lines = [f"{i + 1} {value}\n" for i, value in enumerate(values)]
        # The lists go by the images' numbers, whatever their order.
        (root / name).write_text("".join(reversed(lines) if name == "image_class_labels.txt" else lines))
    data = load_data(settings("CUB-200", tmp_path))
    assert [path.name for path in data.test.files] == ["4.jpg", "5.jpg"]
    assert data.test.labels == (0, 1)
    assert sorted(zip(data.train.labels, [int(path.stem) % 2 for path in data.train.files], strict=True))[0] == (0, 0)
    assert all(label == int(path.stem) % 2 for label, path in zip(data.train.labels, data.train.files, strict=True))
    images, _ = first_of(loading_of(data, (3, 224, 224)).evaluation(data.test))
    assert images.shape == (2, 3, 224, 224)
    (root / "train_test_split.txt").write_text("1 1\n")
    with pytest.raises(SystemExit, match="not of the same images"):
        load_data(settings("cub200", tmp_path))
    (root / "train_test_split.txt").unlink()
    with pytest.raises(SystemExit, match="Nothing is downloaded"):
        load_data(settings("cub200", tmp_path))


def test_any_folder_of_images(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("val", 2)):
        for name in ("cat", "dog"):
            for i in range(count):
                write_image(tmp_path / part / name / f"{i}.png", 200 if name == "dog" else 20)
    data = load_data(settings("folder", tmp_path))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [12, 4, 4]
    loading = loading_of(data, (3, 8, 8), workers=1)
    words: list[dict[str, Any]] = [{"name": "resized_crop", "smallest": 0.5}, {"name": "flip"}]
    inputs, labels = next(loading.training(6, words, seed=0, epoch=0))
    images = one(inputs)
    assert images.shape == (6, 3, 8, 8)
    reds = images[:, 0].mean(dim=(1, 2))
    assert all((red > 0) == (label == 1) for red, label in zip(reds.tolist(), labels.tolist(), strict=True))
    grey = first_of(loading_of(data, (1, 8, 8)).evaluation(data.test))[0]
    assert grey.shape == (4, 1, 8, 8)


def test_worker_processes_change_nothing_and_repeat_themselves(tmp_path: Path) -> None:
    """However many there are: random numbers belong to the place of an image in the epoch."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 2)):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                noise = rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)
                Image.fromarray(noise).save(tmp_path / part / name / f"{i}.png")
    data = load_data(settings("folder", tmp_path))

    def epoch(workers: int, words: list[dict[str, Any]]) -> list[Tensor]:
        torch.manual_seed(0)
        loading = loading_of(data, (3, 8, 8), workers=workers)
        return [one(images) for images, _ in loading.training(6, words, seed=0, epoch=3, repeats=3)]

    for first, second in zip(epoch(0, []), epoch(2, []), strict=True):
        assert torch.equal(first, second)
        assert len({tuple(image.flatten().tolist()) for image in first}) == 2
    words: list[dict[str, Any]] = [{"name": "resized_crop", "smallest": 0.3}, JITTER]
    for first, second, third in zip(epoch(0, words), epoch(1, words), epoch(2, words), strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first, third)
        # Repeated augmentation: each copy is another view of its image.
        assert len({tuple(image.flatten().tolist()) for image in first}) == 6


def test_what_is_missing_or_unknown_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="Nothing is downloaded"):
        load_data(settings("cifar10", tmp_path))
    with pytest.raises(SystemExit, match="unknown data set 'cifra': one of digits"):
        load_data(settings("cifra"))
    (tmp_path / "train" / "a").mkdir(parents=True)
    (tmp_path / "val").mkdir()
    with pytest.raises(SystemExit, match="no folders of images"):
        load_data(settings("folder", tmp_path))
    assert plain("Fashion-MNIST") == "fashion_mnist"
    assert set(READERS) >= {"imagenet", "cub200"}


def made(count: int = 40, shape: tuple[int, int, int] = (1, 6, 6)) -> Data:
    generator = torch.Generator().manual_seed(0)
    everything = Images(
        tuple(i % 4 for i in range(count)),
        (torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8),),
    )
    train, test = split(everything, 0.2, 0)
    return Data("made", 4, train, test, test, (0.5,), (0.25,))


def loading_of(data: Data, shape: tuple[int, int, int], world: World | None = None, workers: int = 0) -> Loading:
    return Loading(data, shape, world or World(0, 1, CPU), workers)


def test_a_split_keeps_the_classes_shares_and_every_image_once() -> None:
    images = Images(tuple(i % 4 for i in range(42)), (torch.arange(42).view(42, 1, 1, 1),))
    rest, held = split(images, 0.1, 7)
    assert sorted([*pixels(rest).flatten().tolist(), *pixels(held).flatten().tolist()]) == list(range(42))
    assert {held.labels.count(label) for label in range(4)} == {1}
    assert split(images, 0.0, 7)[1].labels == ()


def test_images_are_told_apart_by_what_they_are(tmp_path: Path) -> None:
    pixels = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).reshape(2, 3, 4, 4)
    brighter = pixels.clone()
    brighter[1, 2, 3, 3] += 1
    files, moved = (tuple(tmp_path / base / name for name in ("a/1.png", "a/2.png")) for base in ("here", "there"))
    for k, file in enumerate((*files, *moved)):
        write_image(file, 50 * (k % 2))
    different = [
        Images((0, 1), (pixels,)),
        Images((1, 0), (pixels,)),
        Images((0, 1), (brighter,)),
        Images((0, 1), files=files),
        Images((0, 1), files=files[::-1]),
    ]
    assert len({images.digest() for images in different}) == len(different)
    again = Images((0, 1), (pixels.clone(),))
    known = different[3].digest()
    assert (again.digest(), Images((0, 1), files=moved).digest()) == (different[0].digest(), known)
    write_image(moved[1], 51)  # overwritten under its name
    assert Images((0, 1), files=moved).digest() != known


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    loading = loading_of(made(), (1, 6, 6))
    words = [{"name": "crop", "padding": 1}]

    def epoch(seed: int, number: int) -> Tensor:
        torch.manual_seed(0)
        return torch.cat([one(images) for images, _ in loading.training(8, words, seed, number)])

    assert torch.equal(epoch(0, 1), epoch(0, 1))
    assert not torch.equal(epoch(0, 1), epoch(0, 2))
    assert not torch.equal(epoch(0, 1), epoch(1, 1))
    assert len(epoch(0, 0)) == 32


def test_processes_share_an_epoch_and_an_evaluation_without_overlap() -> None:
    data = made()
    alone = loading_of(data, (1, 6, 6))
    pair = [loading_of(data, (1, 6, 6), World(rank, 2, CPU)) for rank in range(2)]
    for whole, first, second in zip(
        alone.training(8, [], 0, 0), pair[0].training(8, [], 0, 0), pair[1].training(8, [], 0, 0), strict=True
    ):
        assert torch.equal(one(whole[0]), torch.cat([one(first[0]), one(second[0])]))
    counts = [sum(len(labels) for _, labels in loading.evaluation(data.test)) for loading in pair]
    assert sum(counts) == len(data.test)
    with pytest.raises(SystemExit, match="cannot be shared"):
        pair[0].steps(1)


def test_images_arrive_normalised_and_calibration_repeats_itself() -> None:
    loading = loading_of(made(), (1, 6, 6))
    images, _ = first_of(loading.evaluation(loading.data.test))
    wanted = (pixels(loading.data.test).float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(images, wanted)
    fitting = loading.calibration(20, batch_size=8)
    assert fitting is not None
    assert [len(labels) for _, labels in fitting] == [8, 8, 4]
    assert torch.equal(first_of(fitting)[0], first_of(fitting)[0])
    assert loading.calibration(0) is None


def test_images_are_fitted_to_what_the_network_takes() -> None:
    grey = torch.full((2, 1, 4, 4), 100, dtype=torch.uint8)
    assert fitted(grey, (3, 8, 8)).shape == (2, 3, 8, 8)
    assert set(fitted(grey, (3, 8, 8)).flatten().tolist()) == {100}
    colour = torch.stack([torch.full((4, 4), v, dtype=torch.uint8) for v in (0, 100, 200)])[None]
    assert set(fitted(colour, (1, 4, 4)).flatten().tolist()) == {100}


def test_crop_shifts_and_fills_with_black() -> None:
    torch.manual_seed(0)
    images = torch.ones(64, 1, 5, 5)
    moved = augment.crop(images, 1)
    assert moved.shape == images.shape
    assert set(moved.sum(dim=(1, 2, 3)).tolist()) == {16.0, 20.0, 25.0}


def test_flip_turns_about_half_and_affine_without_motion_changes_nothing() -> None:
    torch.manual_seed(0)
    images = torch.rand(200, 2, 4, 6)
    flipped = augment.flip(images)
    turned = [not torch.equal(a, b) for a, b in zip(images, flipped, strict=True)]
    assert 70 < sum(turned) < 130
    torch.testing.assert_close(flipped[turned.index(True)], images[turned.index(True)].flip(-1))
    torch.testing.assert_close(augment.affine(images, 0, 0, 0), images, rtol=0, atol=1e-5)
    assert not torch.allclose(augment.affine(images, 20, 0.1, 0.1), images, atol=1e-2)


def test_affine_turns_a_wide_image_as_a_square_one() -> None:
    """A disc stays round: the area it covers does not depend on the angle."""
    y, x = torch.meshgrid(torch.arange(20.0) - 9.5, torch.arange(40.0) - 19.5, indexing="ij")
    disc = ((x**2 + y**2) < 36).float().expand(16, 1, 20, 40)
    torch.manual_seed(1)
    turned = augment.affine(disc, 90, 0, 0)
    torch.testing.assert_close(turned, disc, rtol=0, atol=1.0)
    assert (turned - disc).abs().mean() < 0.02


def test_erase_and_the_words_that_work_on_single_images() -> None:
    torch.manual_seed(0)
    images = torch.zeros(50, 3, 16, 16)
    assert 10 < int((augment.erase(images, 0.5).flatten(1).sum(dim=1) > 0).sum()) < 40
    words = [JITTER, {"name": "randaugment", "operations": 2, "magnitude": 9}]
    assert len(augment.image_augmentation(words, (8, 8))) == 2
    assert together_augmentation(words)((images,), images, "classes")[0][0] is images
    for workers in (0, 2):
        loading = loading_of(made(shape=(3, 8, 8)), (3, 8, 8), workers=workers)
        torch.manual_seed(3)
        first = [(one(images), labels) for images, labels in loading.training(4, words, 0, 0)]
        torch.manual_seed(3)
        second = [(one(images), labels) for images, labels in loading.training(4, words, 0, 0)]
        assert len(first) == loading.steps(4)
        assert first[0][0].shape == (4, 3, 8, 8)
        for (images, labels), (others, others_labels) in zip(first, second, strict=True):
            assert torch.equal(labels, others_labels)
            assert torch.equal(images, others)
    with pytest.raises(ValueError, match="unknown augmentation 'blur'"):
        together_augmentation([{"name": "blur"}])


def test_lighting_shifts_the_colours_of_an_image_alike() -> None:
    """One shift an image, along the principal components: by hand, from the same random numbers."""
    images = torch.rand(5, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(7)
    found = together_augmentation([{"name": "lighting", "strength": 0.1}])((images,), images, "classes")[0][0]
    torch.manual_seed(7)
    alphas = torch.randn(5, 3) * 0.1
    for image, other, alpha in zip(images, found, alphas):
        shift = sum(a * scale * torch.tensor(way) for a, (scale, way) in zip(alpha, augment.COLOURS))
        torch.testing.assert_close(other - image, shift[:, None, None].expand(3, 4, 6), rtol=0, atol=1e-6)
    ways = torch.tensor([way for _, way in augment.COLOURS])
    torch.testing.assert_close(ways @ ways.T, torch.eye(3), rtol=0, atol=1e-3)
