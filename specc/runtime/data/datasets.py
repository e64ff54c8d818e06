"""The data sets that a project can read. A missing one is reported, never downloaded.

torchvision.datasets reads some of them, but not as a project has to. Its MNIST looks into one folder only, does not
read .gz files, and calls damaged ones an AssertionError. Its CIFAR-10 and CIFAR-100 unpickle whatever a file holds, and
accept the original files alone, by their MD5. Its ImageFolder takes hidden files and folders for images and classes,
follows links in circles, and skips folders that it may not read. Its ImageNet needs the development kit beside the
images. There is no Tiny ImageNet and no CUB-200. So files are found and read here; torchvision transforms them.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import random
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specc.runtime.data.coco import coco
from specc.runtime.data.folders import by_folder, check_files, decoded, is_deep, visible_folders
from specc.runtime.data.glyphs import CHARACTERS, glyphs
from specc.runtime.data.images import COUNTED, Data, Images, Parts, on_disk, shown, split
from specc.runtime.data.mapped import Rows, parts
from specc.runtime.data.mask_folders import mask_folders
from specc.runtime.data.own import own
from specc.runtime.data.scenes import scenes
from specc.runtime.data.sounds import sounds
from specc.runtime.data.tables import BUILT_IN, built_in, table
from specc.runtime.data.targets import CLASSES, Wanted
from specc.runtime.data.voc import voc

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LAID_OUT = "train/ and val/ (or test/), with a folder of images for every class in each,"
VALIDATION = ("val", "valid", "validation")
"""What people call the folder beside train/."""
LOOKED_AT = 256
"""Files that say how deep a folder's images are, and its statistics if they have 16 bits."""

Reader = Callable[[Path, Mapping[str, Any]], Parts]
"""From a folder and the settings to training and test data of classes."""
TargetReader = Callable[[Path, Mapping[str, Any], Wanted], Parts]
"""From a folder, the settings and what is predicted to training and test data."""


def load_data(settings: Mapping[str, Any], task: Wanted = CLASSES) -> Data:
    """Reads the data set that `[data]` names, with the targets of a task, and holds out its validation part.

    Exits with a plain message where the data set is unknown, missing or corrupt, or has no such targets.
    """
    name = plain(settings["name"])
    folder = place(str(settings["path"]))
    found = read(name, folder, settings, task)
    train, validation = found.train, found.validation
    held = (found.test,) if validation is None else (found.test, validation)
    check_files([file for part in (train, *held) for file in (*part.files, *on_disk(part.targets))])
    if validation is None:
        train, validation = split(train, float(settings["validation"]), int(settings["seed"]))
        # Without a validation part the search evaluates on the test set.
        validation = validation if len(validation) else found.test
    mean, std = row_statistics(train.looked_at[0]) if found.standardised else statistics(train)
    classes = 1 + max(max(part.labels, default=-1) for part in (train, validation, found.test))
    target_mean, target_std = target_statistics(train) if task.kind == "values" else ((), ())
    return Data(
        name,
        max(classes, len(found.names) if task.kind in COUNTED else 0),
        train,
        validation,
        found.test,
        mean,
        std,
        names=found.names,
        crop=found.crop,
        notes=found.notes,
        kind=task.kind,
        scale=getattr(task, "scale", 1),
        target_mean=target_mean,
        target_std=target_std,
    )


def read(name: str, folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """The parts of a data set. Exits where it is unknown, or has no targets of the kind that is predicted."""
    if name in OF_ANY_KIND:
        return OF_ANY_KIND[name](folder, settings, task)
    if name not in READERS:
        raise SystemExit(
            f"unknown data set {settings['name']!r}: one of {', '.join((*READERS, *OF_ANY_KIND))}"
        )
    if task.kind != "classes":
        raise SystemExit(
            f"{name} has a class for each image, and the network predicts {task.kind}: see `data own` in README.md"
        )
    return READERS[name](folder, settings)


def target_statistics(train: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of every value of the training part; of a Dataset, of those looked at."""
    targets = train.targets if train.source is None else train.source.targets
    if isinstance(targets, tuple):
        return (), ()
    return row_statistics(targets)


def check_classes(data: Data, classes: int, saved: Mapping[str, Any] | None = None) -> None:
    """Exits where labels are beyond the network's `classes`, or classes are not those of the checkpoint `saved`."""
    for part, images in zip(("training", "validation", "test"), data.parts, strict=True):
        beyond = next((i for i, label in enumerate(images.labels) if label >= classes), None)
        if beyond is not None:
            label = f"{part} image {beyond} has the label {images.labels[beyond]}"
            raise SystemExit(f"{data.name}: {label}, and the network {classes} classes, from 0")
    theirs, ours = tuple((saved or {}).get("classes") or ()), data.names
    if theirs and ours and theirs != ours:
        raise SystemExit(f"the checkpoint was trained on other classes: {difference(theirs, ours)}")


def difference(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    """How the checkpoint's classes and those of the data differ, at the first place where they do."""
    if set(theirs) != set(ours):
        gone, new = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
        texts = [
            f"{title} {', '.join(names[:5])}" + (", ..." if len(names) > 5 else "")
            for title, names in (("without", gone), ("with", new))
            if names
        ]
        return f"the data is {' and '.join(texts)}"
    at = next(i for i, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1])
    return f"class {at} was {theirs[at]}, and is {ours[at]} in the data"


def place(path: str) -> Path:
    """Where a path leads from here, or else from the project's own folder, where a file of `data own` may lie."""
    here, beside = Path(path or ".").expanduser(), Path(__file__).parents[2] / path
    return beside if path and not here.exists() and beside.exists() else here


def plain(name: str) -> str:
    """`CIFAR-10`, `cifar_10` and `cifar10` are the same."""
    squeezed = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    return next(
        (known for known in (*READERS, *OF_ANY_KIND) if known.replace("_", "") == squeezed), name
    )


def statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of numbers in 0..1; 0 and 1 for floats, which are taken as they are.

    Of bytes in vectors all numbers count alike. Files have ImageNet's, unless they are of 16 bits: a sample's then.
    """
    if images.files:
        return file_statistics(images.files)
    means: list[float] = []
    stds: list[float] = []
    for array in images.looked_at:
        mean, std = array_statistics(array)
        means += mean
        stds += std
    return tuple(means), tuple(stds)


def row_statistics(rows: Rows) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of every number of vectors (N, F), of every channel of images (N, C, H, W)."""
    whole = torch.cat([part.double() for part in parts(rows)])
    if whole.dim() == 4:
        whole = whole.movedim(1, -1).flatten(0, 2)
    std = whole.std(dim=0, correction=0)
    return tuple(whole.mean(dim=0).tolist()), tuple(spread(value) for value in std.tolist())


def array_statistics(array: Rows) -> tuple[list[float], list[float]]:
    """Those of an array (N, C, H, W) or (N, F)."""
    channels = array.shape[1]
    if array.is_floating_point():
        return [0.0] * channels, [1.0] * channels
    numbers = array[:10_000].double() / (255 if array.dtype == torch.uint8 else 65535)
    if array.dim() == 2:
        return [float(numbers.mean())] * channels, [spread(float(numbers.std()))] * channels
    mean, std = numbers.mean(dim=(0, 2, 3)), numbers.std(dim=(0, 2, 3))
    return mean.tolist(), [spread(value) for value in std.tolist()]


def spread(std: float) -> float:
    """A deviation to divide by: what is constant is left as it is."""
    return std if std > 1e-6 else 1.0


def file_statistics(files: tuple[Path, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """ImageNet's; of files of 16 bits, which may use any part of their range, those of a sample."""
    sample = random.Random(0).sample(files, min(LOOKED_AT, len(files)))
    if not any(is_deep(file) for file in sample):
        return IMAGENET_MEAN, IMAGENET_STD
    count, total, squares = 0, 0.0, 0.0
    for file in sample:
        picture = decoded(file, 1)
        numbers = (
            picture if isinstance(picture, Tensor) else torch.as_tensor(np.asarray(picture) / 255)
        )
        count += numbers.numel()
        total += float(numbers.double().sum())
        squares += float(numbers.double().square().sum())
    mean = total / count
    return (mean,), (spread(math.sqrt(max(0.0, squares / count - mean**2))),)


def digits(folder: Path, settings: Mapping[str, Any]) -> Parts:
    """scikit-learn's 1,797 handwritten digits, 8x8 with 17 levels of grey; the test part is fixed by the seed."""
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise SystemExit(
            "the data set `digits` is part of scikit-learn: pip install scikit-learn"
        ) from None
    bunch = load_digits()
    pixels = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8))[:, None]
    images = Images(tuple(int(label) for label in bunch.target), (pixels,))
    train, test = split(images, float(settings.get("test", 0.2)), int(settings["seed"]))
    return Parts(train, test, tuple("0123456789"))


def rendered_glyphs(folder: Path, settings: Mapping[str, Any]) -> Parts:
    """Characters in Pillow's own font, rendered here: nothing lies in a folder."""
    train, test = glyphs(settings)
    return Parts(train, test, tuple(CHARACTERS[: int(settings.get("classes", len(CHARACTERS)))]))


def mnist(folder: Path, settings: Mapping[str, Any]) -> Parts:
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
        if pixels.ndim != 3 or labels.shape != (len(pixels),):
            told = f"{len(pixels):,} images and {len(labels):,} labels"
            raise SystemExit(f"{name}: the {part} files do not go together, they hold {told}")
        parts.append(Images(tuple(labels.tolist()), (torch.from_numpy(pixels)[:, None],)))
    return Parts(parts[0], parts[1], clothes() if name == "fashion_mnist" else tuple("0123456789"))


def clothes() -> tuple[str, ...]:
    """Fashion-MNIST's classes."""
    from torchvision.datasets import FashionMNIST  # as slow to import as torch

    return tuple(FashionMNIST.classes)


def idx(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An idx file of bytes: two zeros, 8, the number of dimensions, their sizes as big-endian int32, the bytes."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise SystemExit(f"{path} cannot be read: {error}") from None
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise SystemExit(f"{path} is no idx file of bytes")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, 4)
    numbers = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if len(numbers) != math.prod(map(int, shape)):
        raise SystemExit(f"{path} is corrupt: it holds {len(numbers):,} bytes of {shown([*shape])}")
    return numbers.reshape(shape).copy()


def cifar(folder: Path, settings: Mapping[str, Any]) -> Parts:
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
        key = b"fine_labels" if hundred else b"labels"
        read = [cifar_batch(first(name, places, batch), key) for batch in batches]
        pixels = np.concatenate([part for part, _ in read])
        labels = [label for _, part in read for label in part]
        parts.append(Images(tuple(labels), (torch.from_numpy(pixels),)))
    return Parts(parts[0], parts[1], names_of_100(places) if hundred else CIFAR10)


def cifar_batch(path: Path, key: bytes) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], list[int]]:
    """The images (N, 3, 32, 32) and labels of one file. Exits where it is corrupt."""
    content = unpickled(path)
    try:
        pixels, labels = content[b"data"].reshape(-1, 3, 32, 32), [*map(int, content[key])]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SystemExit(f"{path} is no CIFAR file: {error}") from None
    if pixels.dtype != np.uint8 or len(pixels) != len(labels):
        raise SystemExit(f"{path} is corrupt: it holds {len(pixels)} images, {len(labels)} labels")
    return pixels, labels


def names_of_100(places: Iterable[Path]) -> tuple[str, ...]:
    """CIFAR-100's classes, from the file `meta` that comes with it."""
    found = next((place / "meta" for place in places if (place / "meta").is_file()), None)
    names = unpickled(found).get(b"fine_label_names", ()) if found else ()
    return tuple(name.decode() for name in names)


def unpickled(path: Path) -> dict[bytes, Any]:
    """The dictionary that a file of CIFAR holds. Exits where it is corrupt, or would run anything."""
    try:
        content = NumpyOnly(path.read_bytes()).load()
    except Exception as error:  # a damaged pickle breaks its reader anywhere
        raise SystemExit(f"{path} is not a CIFAR file, or corrupt: {error}") from None
    if not isinstance(content, dict):
        raise SystemExit(f"{path} is no CIFAR file: it holds no dictionary")
    return content


class NumpyOnly(pickle.Unpickler):
    """CIFAR comes as pickles, which may run anything; this reader builds numpy arrays and plain containers alone."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"_reconstruct", "ndarray", "dtype", "_frombuffer", "encode"}
        if module.split(".")[0] not in ("numpy", "_codecs") or name not in allowed:
            raise SystemExit(f"this is no CIFAR file: it asks for {module}.{name}")
        return super().find_class(module, name)


def tiny_imagenet(folder: Path, settings: Mapping[str, Any]) -> Parts:
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
    test = Images(tuple(number[row[1]] for row in rows), files=files)
    return Parts(train, test, names, crop=True)


def cub200(folder: Path, settings: Mapping[str, Any]) -> Parts:
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
    if odd := next((i for i in files if not labels[i].isdecimal() or labels[i] == "0"), None):
        raise SystemExit(
            f"{root / 'image_class_labels.txt'}: image {odd} is of class {labels[odd]!r}"
        )
    everything = Images(
        tuple(int(labels[i]) - 1 for i in files),
        files=tuple(root / "images" / name for name in files.values()),
    )
    chosen = [training[i] == "1" for i in files]
    train = everything.take([i for i, flag in enumerate(chosen) if flag])
    test = everything.take([i for i, flag in enumerate(chosen) if not flag])
    return Parts(train, test, crop=True)


def imagenet(folder: Path, settings: Mapping[str, Any]) -> Parts:
    """`train/<class>/...` and `val/<class>/...`; its test/ has no labels, and is not read."""
    name = f"a folder with {LAID_OUT}"
    root = first(name, (folder,), "train").parent
    train, names = by_folder(root / "train")
    test = same_classes(first(name, (root,), *VALIDATION, "test"), root / "train", names)
    return Parts(train, test, names, crop=True)


def image_folder(folder: Path, settings: Mapping[str, Any]) -> Parts:
    """`train/<class>/...` and `val/<class>/...` or `test/<class>/...`; where there are all three, val/ is what the
    search evaluates on, and nothing of train/ is held out."""
    name = f"a folder with {LAID_OUT}"
    root = first(name, (folder,), "train").parent
    others: list[Path] = []
    train, names = by_folder(root / "train", others)
    held = first(name, (root,), *VALIDATION, "test")
    found, third = same_classes(held, root / "train", names, others), root / "test"
    notes = passed_over(others)
    if held == third or not third.is_dir():
        return Parts(train, found, names, notes=notes)
    if not visible_folders(third):
        notes += (f"{third} has no folder for every class: {held} is the test part",)
        return Parts(train, found, names, notes=notes)
    test = same_classes(third, root / "train", names, others)
    return Parts(train, test, names, validation=found, notes=passed_over(others))


def same_classes(
    held: Path, training: Path, names: tuple[str, ...], others: list[Path] | None = None
) -> Images:
    """The images of another part. Exits where its classes are not those of the training part."""
    images, theirs = by_folder(held, others)
    if theirs != names:
        odd = sorted(set(names) ^ set(theirs))
        raise SystemExit(f"{held} and {training} hold different classes, {odd[0]} for one")
    return images


def passed_over(others: list[Path]) -> tuple[str, ...]:
    """A note on files that are not called as images are."""
    if not others:
        return ()
    # A name need not be text that can be printed.
    names = [str(path).encode(errors="replace").decode() for path in others[:3]]
    named = ", ".join(names) + (", ..." if len(others) > 3 else "")
    return (f"passed over, as no suffix of an image: {named} ({len(others):,} in all)",)


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


CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
READERS: Mapping[str, Reader] = {
    "digits": digits,
    "glyphs": rendered_glyphs,
    "mnist": mnist,
    "fashion_mnist": mnist,
    "cifar10": cifar,
    "cifar100": cifar,
    "tiny_imagenet": tiny_imagenet,
    "imagenet": imagenet,
    "cub200": cub200,
    "folder": image_folder,
}
OF_ANY_KIND: Mapping[str, TargetReader] = {
    "masks": mask_folders,
    "voc": voc,
    "coco": coco,
    "scenes": scenes,
    "sounds": sounds,
    "table": table,
    **dict.fromkeys(BUILT_IN, built_in),
    "own": own,
}
"""Those that have what the network predicts."""
