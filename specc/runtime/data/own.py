"""Data of one's own: what the function `load` of a Python file returns, and what is said where it cannot be used."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specc.portable.run.raised import raised
from specc.runtime.data.images import Images, Parts, shown
from specc.runtime.data.targets import Wanted, targets_of

WANTED = "training and test data, each a pair (inputs, labels)"


def own(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """What the function `load` of a Python file returns: training and test data, each (inputs, labels).

    Inputs are images (N, C, H, W), grey ones also (N, H, W), or vectors (N, F), as an array or a tensor; for a network
    of several inputs a tuple of these. Whole numbers of 8 and 16 bits without a sign are scaled and normalised, all
    others taken as they are. Labels are N class numbers from 0, or what else the network predicts: masks (N, H, W),
    tags or values (N, numbers), images (N, C, H, W). The list `classes` of the file, if it has one, names the classes.
    `load` is called with the settings of `[data]`.
    """
    if not folder.is_file():
        missing = "no file is named" if folder.is_dir() else f"there is no file {folder}"
        raise SystemExit(f"own: {missing}; name your Python file with --data-path FILE")
    sys.path.insert(0, str(folder.parent))  # modules beside the file are its own
    try:
        made = runpy.run_path(str(folder))
        load = made.get("load")
        if not callable(load):
            raise SystemExit(f"{folder} has no function `load(settings)`")
        loaded = load(dict(settings))
    except Exception as error:
        raise SystemExit(f"{folder}: {raised(error, folder.parent)}") from error
    finally:
        sys.path.remove(str(folder.parent))
    try:
        train, test = (
            examples(part, name, task)
            for name, part in zip(("training", "test"), pair_of(loaded), strict=True)
        )
        alike(train, test)
        names = names_of(made.get("classes", ()))
        most = max(*train.labels, *test.labels) if train.targets is None else task.count - 1
        if names and most >= len(names):
            raise ValueError(f"`classes` names {len(names)}, and there are labels up to {most}")
    except ValueError as error:
        raise SystemExit(f"{folder}: {error}") from None
    return Parts(train, test, names, notes=ranges(train))


def names_of(classes: Any) -> tuple[str, ...]:
    """The names of the classes. Raises ValueError where they are no list."""
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise ValueError(f"`classes` is {classes!r}, not a list of names")
    return tuple(map(str, classes))


def pair_of(loaded: Any) -> tuple[Any, Any]:
    """Training and test data. Raises ValueError where `load` returned something else."""
    try:
        parts = [*loaded]
    except TypeError:
        raise ValueError(f"load returns {type(loaded).__name__}, not {WANTED}") from None
    if len(parts) != 2 or isinstance(loaded, (dict, str, Tensor, np.ndarray)):
        held = (
            f"{len(parts)} parts"
            if isinstance(loaded, (list, tuple))
            else f"a {type(loaded).__name__}"
        )
        raise ValueError(
            f"load returns {held}, not {WANTED}; validation data is held out of training data"
        )
    return parts[0], parts[1]


def examples(part: Any, name: str, task: Wanted) -> Images:
    """One part, checked. Raises ValueError."""
    if not isinstance(part, (list, tuple)) or len(part) != 2:
        raise ValueError(f"the {name} part is no pair (inputs, labels)")
    given, labels = part
    targets = None if task.kind == "classes" else targets_of(labels, name, task)
    numbers = class_numbers(labels, name) if targets is None else tuple(range(len(targets)))
    # A list may hold arrays too, one for each input; or it is an array itself, spelled out.
    listed = isinstance(given, list) and all(is_array(item, len(numbers)) for item in given)
    several = given if isinstance(given, tuple) or (listed and given) else (given,)
    arrays = tuple(array_of(item, name) for item in several)
    if not arrays:
        raise ValueError(f"the {name} part has no inputs")
    for array in arrays:
        if len(array) != len(numbers):
            raise ValueError(f"the {name} part has {len(array)} examples and {len(numbers)} labels")
    if not numbers:
        raise ValueError(f"the {name} part is empty")
    return Images(numbers, arrays, targets=targets)


def is_array(item: Any, examples: int) -> bool:
    """Whether it is an array of so many examples."""
    return isinstance(item, (Tensor, np.ndarray)) and item.ndim > 0 and len(item) == examples


def array_of(given: Any, name: str) -> Tensor:
    """An input (N, C, H, W) or (N, F): uint8 as it is, uint16 in int32, all others in float32."""
    try:
        numbers = given if isinstance(given, Tensor) else torch.from_numpy(native(given))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"the {name} inputs are no array of numbers: {error}") from None
    if numbers.dim() == 3:
        numbers = numbers[:, None]
    if numbers.dim() not in (2, 4):
        wanted = "(N, C, H, W) of images or (N, F) of vectors is wanted"
        raise ValueError(f"the {name} inputs have the shape {tuple(numbers.shape)}; {wanted}")
    if numbers.is_complex():
        raise ValueError(f"the {name} inputs are complex numbers")
    numbers = numbers.detach().cpu()
    if numbers.dtype == torch.uint8:
        return numbers
    if numbers.dtype == torch.uint16:
        return numbers.to(torch.int32)
    numbers = numbers.float()
    strange = (~torch.isfinite(numbers)).flatten(1).any(dim=1).nonzero().flatten().tolist()
    if strange:
        others = f", and {len(strange) - 1} others" if len(strange) > 1 else ""
        raise ValueError(f"the {name} input {strange[0]} holds NaN or infinity{others}")
    return numbers


def native(given: Any) -> np.ndarray[Any, Any]:
    """An array as torch takes it: in this machine's byte order, and never backwards in memory."""
    array = np.ascontiguousarray(given)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def class_numbers(labels: Any, name: str) -> tuple[int, ...]:
    """Labels as whole numbers from 0. Raises ValueError, naming the first that is none."""
    values = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2:
        rows = f"labels of {name} data are rows of {values.shape[1]} numbers"
        raise ValueError(f"{rows}; class numbers are wanted: labels.argmax(1) of one-hot rows")
    if values.ndim != 1:
        raise ValueError(
            f"labels of {name} data have the shape {values.shape}; N class numbers are wanted"
        )
    for i, value in enumerate(values.tolist()):
        if isinstance(value, (str, bytes)) or not isinstance(value, (bool, int, float)):
            raise ValueError(f"{name} label {i} is {value!r}; class numbers from 0 are wanted")
        if not value >= 0 or value != value // 1:
            raise ValueError(f"{name} label {i} is {value}; class numbers from 0 are wanted")
    return tuple(map(int, values.tolist()))


def alike(train: Images, test: Images) -> None:
    """Raises ValueError where examples of the two parts have different shapes or kinds of numbers."""
    if len(train.arrays) != len(test.arrays):
        counts = f"{len(train.arrays)} inputs for training and {len(test.arrays)} for testing"
        raise ValueError(f"load returns {counts}")
    for first, second in zip(train.arrays, test.arrays, strict=True):
        here, there = (f"{shown(a.shape[1:])} of {kind(a)}" for a in (first, second))
        if here != there:
            raise ValueError(f"training inputs are {here}, test inputs {there}")


def kind(array: Tensor) -> str:
    """The kind of numbers, as the file gave them."""
    return {torch.uint8: "bytes", torch.int32: "16 bits"}.get(array.dtype, "floats")


def ranges(train: Images) -> tuple[str, ...]:
    """A note for every input that is taken as it is."""
    notes = []
    for array in train.arrays:
        if not array.is_floating_point():
            continue
        low, high = float(array.min()), float(array.max())
        note = f"inputs {shown(array.shape[1:])} are taken as they are, from {low:g} to {high:g}"
        if array.dim() == 4 and low >= 0 and 1 < high <= 255 and torch.equal(array, array.round()):
            note += "; as bytes (uint8) they would be scaled and normalised"
        notes.append(note)
    return tuple(notes)
