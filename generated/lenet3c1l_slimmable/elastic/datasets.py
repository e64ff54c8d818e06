"""The data sets that a project can read. A missing one is reported, never downloaded."""

from __future__ import annotations

import gzip
import io
import pickle
import runpy
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .glyphs import glyphs
from .images import Data, Images, split

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm")

LAID_OUT = "train/ and val/ (or test/), with a folder of images for every class in each,"

Reader = Callable[[Path, Mapping[str, Any]], tuple[Images, Images]]
"""From a folder and the settings to (training images, test images)."""


def load_data(settings: Mapping[str, Any]) -> Data:
    """Reads the data set that `[data]` names and holds out its validation part.

    Exits with a plain message where the data set is unknown or not there.
    """
    name = plain(settings["name"])
    if name not in READERS:
        raise SystemExit(f"unknown data set {settings['name']!r}: one of {', '.join(READERS)}")
    folder = place(str(settings["path"]))
    train, test = READERS[name](folder, settings)
    seed = int(settings["seed"])
    train, validation = split(train, float(settings["validation"]), seed)
    # Without a validation part the search has nothing else to judge by.
    validation = validation if len(validation) else test
    mean, std = statistics(train)
    classes = 1 + max(max(train.labels), max(test.labels))
    return Data(name, classes, train, validation, test, mean, std)


def place(path: str) -> Path:
    """Where a path leads from here, or else from the project's own folder, where a file of `data own` may lie."""
    here, beside = Path(path or "."), Path(__file__).parent.parent / path
    return beside if path and not here.exists() and beside.exists() else here


def plain(name: str) -> str:
    """`CIFAR-10`, `cifar_10` and `cifar10` are the same."""
    squeezed = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    return next((known for known in READERS if known.replace("_", "") == squeezed), name)


def statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel; ImageNet's for files, which are not all read for it."""
    if images.pixels is None:
        return IMAGENET_MEAN, IMAGENET_STD
    pixels = images.pixels[:10_000].double() / 255
    mean, std = pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3)).clamp_min(1e-6)
    return tuple(mean.tolist()), tuple(std.tolist())


def digits(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """scikit-learn's 1,797 handwritten digits, 8x8 with 17 levels of grey; the test part is fixed by the seed."""
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise SystemExit(
            "the data set `digits` is part of scikit-learn: pip install scikit-learn"
        ) from None
    bunch = load_digits()
    pixels = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8))[:, None]
    images = Images(tuple(int(label) for label in bunch.target), pixels)
    return split(images, float(settings.get("test", 0.2)), int(settings["seed"]))


def rendered_glyphs(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """Characters in Pillow's own font, rendered here: nothing lies in a folder."""
    return glyphs(settings)


def mnist(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """The four idx files, plain or gzipped, in the folder, or where torchvision keeps them in it."""
    name = plain(settings["name"])
    theirs = "FashionMNIST" if name == "fashion_mnist" else "MNIST"
    places = (folder, folder / "raw", folder / theirs / "raw")
    parts = []
    for part in ("train", "t10k"):
        pixels = idx(
            first(name, places, f"{part}-images-idx3-ubyte", f"{part}-images-idx3-ubyte.gz")
        )
        labels = idx(
            first(name, places, f"{part}-labels-idx1-ubyte", f"{part}-labels-idx1-ubyte.gz")
        )
        parts.append(Images(tuple(labels.tolist()), torch.from_numpy(pixels)[:, None]))
    return parts[0], parts[1]


def idx(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An idx file of bytes: two zeros, 8, the number of dimensions, their sizes as big-endian int32, the bytes."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if content[:3] != b"\0\0\x08":
        raise SystemExit(f"{path} is no idx file of bytes")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()


def cifar(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """The `python version` of CIFAR-10 or CIFAR-100, unpacked in the folder or in the sub-folder of its archive."""
    name = plain(settings["name"])
    hundred = name == "cifar100"
    places = (folder, folder / ("cifar-100-python" if hundred else "cifar-10-batches-py"))
    parts = []
    for batches in (
        (["train"], ["test"])
        if hundred
        else ([f"data_batch_{i}" for i in range(1, 6)], ["test_batch"])
    ):
        read = [NumpyOnly(first(name, places, batch).read_bytes()).load() for batch in batches]
        pixels = np.concatenate([part[b"data"] for part in read]).reshape(-1, 3, 32, 32)
        labels = [
            int(label) for part in read for label in part[b"fine_labels" if hundred else b"labels"]
        ]
        parts.append(Images(tuple(labels), torch.from_numpy(pixels)))
    return parts[0], parts[1]


class NumpyOnly(pickle.Unpickler):
    """CIFAR comes as pickles, which may run anything; this reader builds numpy arrays and plain containers alone."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"_reconstruct", "ndarray", "dtype", "_frombuffer", "encode"}
        if module.split(".")[0] not in ("numpy", "_codecs") or name not in allowed:
            raise SystemExit(f"this is no CIFAR file: it asks for {module}.{name}")
        return super().find_class(module, name)


def tiny_imagenet(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """`train/<class>/images/*.JPEG`, and `val/images` whose classes stand in `val/val_annotations.txt`."""
    places = (folder, folder / "tiny-imagenet-200")
    annotations = first("tiny_imagenet", places, "val/val_annotations.txt")
    root = annotations.parent.parent
    train, names = by_folder(root / "train")
    number = {name: i for i, name in enumerate(names)}
    rows = [
        line.split("\t")
        for line in annotations.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    strange = [row[0] for row in rows if len(row) < 2 or row[1] not in number]
    if strange:
        raise SystemExit(f"{annotations}: {strange[0]} is of no class in {root / 'train'}")
    files = tuple(root / "val" / "images" / row[0] for row in rows)
    return train, Images(tuple(number[row[1]] for row in rows), files=files)


def cub200(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """Lists of an image's number and a value each (`images.txt`, `train_test_split.txt`, ...) beside `images/`."""
    root = first("cub200", (folder, folder / "CUB_200_2011"), "images.txt").parent

    def listed(name: str) -> dict[str, str]:
        lines = first("cub200", (root,), name).read_text(encoding="utf-8").splitlines()
        rows = (line.split(maxsplit=1) for line in lines if line.strip())
        return {row[0]: row[-1].strip() for row in rows}

    files, labels = listed("images.txt"), listed("image_class_labels.txt")
    training = listed("train_test_split.txt")
    if not files.keys() == labels.keys() == training.keys():
        raise SystemExit(f"the lists in {root} are not of the same images")
    everything = Images(
        tuple(int(labels[i]) - 1 for i in files),
        files=tuple(root / "images" / name for name in files.values()),
    )
    chosen = [training[i] == "1" for i in files]
    return (
        everything.take([i for i, flag in enumerate(chosen) if flag]),
        everything.take([i for i, flag in enumerate(chosen) if not flag]),
    )


def image_folder(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """`train/<class>/...` and `val/<class>/...` (or `test/`): ImageNet, and what is laid out like it."""
    name = f"a folder with {LAID_OUT}"
    root = first(name, (folder,), "train").parent
    train, names = by_folder(root / "train")
    held = first(name, (root,), "val", "test")
    test, theirs = by_folder(held)
    if theirs != names:
        odd = sorted(set(names) ^ set(theirs))
        raise SystemExit(f"{held} and {root / 'train'} hold different classes, {odd[0]} for one")
    return train, test


def by_folder(root: Path) -> tuple[Images, tuple[str, ...]]:
    """The images under `root`, whose classes are its sub-folders in alphabetical order, and the classes."""
    names = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    labels, files = [], []
    for i, name in enumerate(names):
        found = sorted(path for path in (root / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        files.extend(found)
        labels.extend([i] * len(found))
    if not files:
        raise SystemExit(f"{root} holds no folders of images, one for every class")
    return Images(tuple(labels), files=tuple(files)), names


def own(folder: Path, settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """What the function `load` of a Python file returns: training and test data, each (pixels, labels).

    Pixels are bytes (N, C, H, W), an array or a tensor; labels N numbers from 0. For a network of several inputs the
    channels of all stand one after another, in the inputs' order. `load` is called with the settings of `[data]`.
    """
    if not folder.is_file():
        missing = "no file is named" if folder.is_dir() else f"there is no file {folder}"
        raise SystemExit(f"own: {missing}; name your Python file with --data-path FILE")
    sys.path.insert(0, str(folder.parent))  # modules beside the file are its own
    try:
        load = runpy.run_path(str(folder)).get("load")
        if not callable(load):
            raise SystemExit(f"{folder} has no function `load(settings)`")
        loaded = load(dict(settings))
    finally:
        sys.path.remove(str(folder.parent))
    parts = []
    for pixels, labels in loaded:
        tensor = torch.as_tensor(pixels)
        if tensor.dtype != torch.uint8 or tensor.dim() != 4 or len(tensor) != len(labels):
            shown = f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}, {len(labels)} labels"
            raise SystemExit(f"{folder}: bytes (N, C, H, W) and N labels are wanted, not {shown}")
        parts.append(Images(tuple(int(label) for label in labels), tensor))
    train, test = parts
    return train, test


def first(name: str, places: Iterable[Path], *parts: str) -> Path:
    """The first of these that exists. Exits with the places that were tried where none does."""
    candidates = [place / part for place in places for part in parts]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    tried = "\n  ".join(str(candidate) for candidate in candidates)
    here = "" if candidates[0].is_absolute() else f", from {Path.cwd()}"
    raise SystemExit(
        f"{name} is not there. Name its folder with --data-path; tried{here}\n  {tried}\n"
        "Nothing is downloaded."
    )


READERS: Mapping[str, Reader] = {
    "digits": digits,
    "glyphs": rendered_glyphs,
    "mnist": mnist,
    "fashion_mnist": mnist,
    "cifar10": cifar,
    "cifar100": cifar,
    "tiny_imagenet": tiny_imagenet,
    "imagenet": image_folder,
    "cub200": cub200,
    "folder": image_folder,
    "own": own,
}
