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

from elastic.data.arrays import check_finite, extremes, rows_of, single_channel
from elastic.data.images import Images, Parts, Targets, shown
from elastic.data.mapped import Rows, parts
from elastic.data.sampled import is_dataset, sampled
from elastic.data.targets import Wanted, check_size, targets_of
from elastic.run.raised import raised

WANTED = "training and test data, each a pair (inputs, targets)"


def own(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """What the function `load` of a Python file returns: training and test data, and validation data if there is a
    third part. Each is a pair (inputs, targets), or a torch Dataset of such pairs.

    Inputs are images (N, C, H, W), grey ones also (N, H, W), or vectors (N, F), as an array or a tensor; for a network
    of several inputs a tuple of these. Whole numbers of 8 and 16 bits without a sign are scaled and normalised, all
    others taken as they are. A numpy memory map stays on disk. Targets are what the network predicts: N class numbers
    from 0, masks (N, H, W), tags or values (N, numbers), images (N, C, H, W). The list `classes` of the file, if it has
    one, names the classes. `load` is called with the settings of `[data]`.
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
        given = zip(("training", "test", "validation"), parts_of(loaded), strict=False)
        found = [examples(part, name, task) for name, part in given]
        for name, part in zip(("test", "validation"), found[1:], strict=False):
            alike(found[0], part, name)
        names = names_of(made.get("classes", ()))
        most = max((max(part.labels, default=-1) for part in found), default=-1)
        if names and most >= len(names):
            raise ValueError(f"`classes` names {len(names)}, and there are labels up to {most}")
    except ValueError as error:
        raise SystemExit(f"{folder}: {error}") from None
    validation = found[2] if len(found) > 2 else None
    return Parts(found[0], found[1], names, validation, notes=ranges(found[0]))


def names_of(classes: Any) -> tuple[str, ...]:
    """The names of the classes. Raises ValueError where they are no list."""
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise ValueError(f"`classes` is {classes!r}, not a list of names")
    return tuple(map(str, classes))


def parts_of(loaded: Any) -> list[Any]:
    """Training, test and perhaps validation data. Raises ValueError where `load` returned something else."""
    try:
        given = [*loaded] if not is_dataset(loaded) else None
    except TypeError:
        given = None
    if given is None:
        raise ValueError(f"load returns {type(loaded).__name__}, not {WANTED}") from None
    if len(given) not in (2, 3) or isinstance(loaded, (dict, str, Tensor, np.ndarray)):
        held = (
            f"{len(given)} parts"
            if isinstance(loaded, (list, tuple))
            else f"a {type(loaded).__name__}"
        )
        raise ValueError(
            f"load returns {held}, not {WANTED}; validation data is a third part, or held out of training data"
        )
    return given


def examples(part: Any, name: str, task: Wanted) -> Images:
    """One part, checked. Raises ValueError."""
    if is_dataset(part):
        return sampled(part, name, task)
    if not isinstance(part, (list, tuple)) or len(part) != 2:
        raise ValueError(f"the {name} part is no pair (inputs, targets), nor a torch Dataset")
    given, answers = part
    targets: Targets = (
        class_numbers(answers, name) if task.kind == "classes" else targets_of(answers, name, task)
    )
    # A list may hold arrays too, one for each input; or it is an array itself, spelled out.
    listed = isinstance(given, list) and all(is_array(item, len(targets)) for item in given)
    several = given if isinstance(given, tuple) or (listed and given) else (given,)
    arrays = tuple(array_of(item, name) for item in several)
    if not arrays:
        raise ValueError(f"the {name} part has no inputs")
    what = "labels" if task.kind == "classes" else "targets"
    for array in arrays:
        if len(array) != len(targets):
            raise ValueError(f"the {name} part has {len(array)} examples and {len(targets)} {what}")
    if not len(targets):
        raise ValueError(f"the {name} part is empty")
    if not isinstance(targets, tuple):
        check_size(arrays[0].shape[1:], targets.shape[1:], name, task)
    return Images(targets, arrays)


def is_array(item: Any, examples: int) -> bool:
    """Whether it is an array of so many examples."""
    return isinstance(item, (Tensor, np.ndarray)) and item.ndim > 0 and len(item) == examples


def array_of(given: Any, name: str) -> Rows:
    """An input (N, C, H, W) or (N, F): uint8 as it is, uint16 in int32, else float32. Memory maps stay maps."""
    numbers = rows_of(given, f"{name} inputs")
    if numbers.dim() == 3:
        numbers = single_channel(numbers)
    if numbers.dim() not in (2, 4):
        wanted = "(N, C, H, W) of images or (N, F) of vectors is wanted"
        raise ValueError(f"the {name} inputs have the shape {tuple(numbers.shape)}; {wanted}")
    if numbers.is_floating_point():
        check_finite(numbers, f"{name} input")
    return numbers


def alike(train: Images, other: Images, name: str) -> None:
    """Raises ValueError where examples of two parts have different shapes or kinds of numbers."""
    if len(train.looked_at) != len(other.looked_at):
        counts = (
            f"{len(train.looked_at)} inputs for training and {len(other.looked_at)} for {name}ing"
        )
        raise ValueError(f"load returns {counts}".replace("validationing", "validation"))
    for first, second in zip(train.looked_at, other.looked_at, strict=True):
        here, there = (f"{shown(a.shape[1:])} of {kind(a)}" for a in (first, second))
        if here != there:
            raise ValueError(f"training inputs are {here}, {name} inputs {there}")


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


def kind(array: Rows) -> str:
    """The kind of numbers, as the file gave them."""
    return {torch.uint8: "bytes", torch.int32: "16 bits"}.get(array.dtype, "floats")


def ranges(train: Images) -> tuple[str, ...]:
    """A note for every input that is taken as it is."""
    notes = []
    for array in train.looked_at:
        if not array.is_floating_point():
            continue
        low, high = extremes(array)
        note = f"inputs {shown(array.shape[1:])} are taken as they are, from {low:g} to {high:g}"
        whole = all(torch.equal(part, part.round()) for part in parts(array))
        if array.dim() == 4 and low >= 0 and 1 < high <= 255 and whole:
            note += "; as bytes (uint8) they would be scaled and normalised"
        notes.append(note)
    return tuple(notes)
