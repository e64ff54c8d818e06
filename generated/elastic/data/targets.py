"""Targets that are no class numbers, as arrays: masks, tags, values and images; and what is said where they do not fit.

A task is asked by its `kind` and `count` for what it wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from elastic.data.arrays import extremes, native
from elastic.data.mapped import Mapped, Rows, parts

NOT_JUDGED = 255
"""The class of pixels that count for nothing."""


class Wanted(Protocol):
    """What of a task the data has to know: `specc.runtime.train.interfaces.Task`."""

    @property
    def kind(self) -> str: ...

    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of target without a task."""

    kind: str
    count: int = 0


CLASSES: Final[Wanted] = Kind("classes")


def targets_of(given: Any, name: str, task: Wanted) -> Rows:
    """Targets of a part, of the kind that a task learns from. A memory map of masks or images stays on disk.

    Raises ValueError where they are of another kind or shape, or say nothing.
    """
    if isinstance(given, np.memmap) and given.ndim and task.kind in ("pixels", "restored"):
        try:
            dtype = torch.from_numpy(np.zeros(1, given.dtype.newbyteorder("="))).dtype
        except TypeError as error:
            raise ValueError(f"the {name} targets are no array of numbers: {error}") from None
        map_of = masks if task.kind == "pixels" else pictures
        return map_of(Mapped(given, dtype, np.arange(len(given))), name, task.count)
    try:
        found = (
            given.detach().cpu() if isinstance(given, Tensor) else torch.from_numpy(native(given))
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"the {name} targets are no array of numbers: {error}") from None
    if not found.dim() or not len(found):
        raise ValueError(f"the {name} part is empty")
    match task.kind:
        case "pixels":
            return masks(found, name, task.count)
        case "tags":
            return tags(found, name, task.count)
        case "values":
            return values(found, name, task.count)
        case "boxes":
            return boxes(found, name, task.count)
        case "restored":
            return pictures(found, name, task.count)
    return found


def check_size(image: Sequence[int], target: Sequence[int], name: str, task: Wanted) -> None:
    """Raises ValueError where targets that are maps are not as high and wide as their images, or as many times as the
    task says. Both are shapes."""
    scale = int(getattr(task, "scale", 1)) if task.kind == "restored" else 1
    if task.kind not in ("pixels", "restored") or len(image) < 3:
        return
    wanted, given = [scale * side for side in image[-2:]], [*target[-2:]]
    if wanted != given:
        times = f", {scale} times as large," if scale > 1 else ""
        height, width = image[-2:]
        raise ValueError(
            f"the {name} images are {height}x{width} and their targets {given[0]}x{given[1]}; targets of "
            f"{wanted[0]}x{wanted[1]}{times} are wanted"
        )


def masks(found: Rows, name: str, classes: int) -> Rows:
    if isinstance(found, Tensor) and found.dim() == 4 and found.shape[1] == 1:
        found = found[:, 0]
    if found.dim() != 3 or found.is_floating_point() or found.dtype.is_complex:
        kind = f"{str(found.dtype).removeprefix('torch.')} of the shape {tuple(found.shape)}"
        raise ValueError(
            f"the {name} targets are {kind}; masks (N, H, W) of class numbers are wanted"
        )
    any_judged, first = False, 0
    for part in parts(found):
        judged = part != NOT_JUDGED
        any_judged = any_judged or bool(judged.any())
        beyond = judged & ((part < 0) | (part >= classes))
        if bool(beyond.any()):
            place = int(beyond.flatten(1).any(dim=1).nonzero()[0])
            number = int(part[place][beyond[place]][0])
            raise ValueError(
                f"{name} mask {first + place} has the class {number}, and the network {classes} classes, from 0 "
                f"({NOT_JUDGED}: not judged)"
            )
        first += len(part)
    if not any_judged:
        raise ValueError(
            f"all pixels of the {name} masks are {NOT_JUDGED}, which is not judged: nothing is left to learn"
        )
    return of_kind(found, torch.uint8 if classes <= NOT_JUDGED else torch.int64)


def of_kind(rows: Rows, dtype: torch.dtype) -> Rows:
    """Rows of another kind of numbers; of those on disk when they are read."""
    return replace(rows, dtype=dtype) if isinstance(rows, Mapped) else rows.to(dtype)


def rows(found: Tensor, name: str, count: int, what: str) -> Tensor:
    """Targets (N, count) as floats."""
    if found.dim() == 1 and count == 1:
        found = found[:, None]
    if found.dim() != 2 or found.shape[1] != count or found.is_complex():
        raise ValueError(
            f"the {name} targets have the shape {tuple(found.shape)}; {what} (N, {count}) are wanted"
        )
    found = found.float()
    strange = (~found.isfinite()).any(dim=1).nonzero().flatten().tolist()
    if strange:
        raise ValueError(f"the {name} target {strange[0]} holds NaN or infinity")
    return found


def tags(found: Tensor, name: str, count: int) -> Tensor:
    found = rows(found, name, count, "tags, 0 or 1,")
    odd = ((found < 0) | (found > 1)).any(dim=1).nonzero().flatten().tolist()
    if odd:
        raise ValueError(
            f"the {name} target {odd[0]} is {found[odd[0]].tolist()}; a tag is 0 or 1, or a share between"
        )
    return found


def values(found: Tensor, name: str, count: int) -> Tensor:
    return rows(found, name, count, "values")


def boxes(found: Tensor, name: str, classes: int) -> Tensor:
    """Boxes (N, most, 5) as floats: left, top, right, bottom as shares of width and height, and the class; all -1 where
    an image has no more."""
    if found.dim() != 3 or found.shape[2] != 5 or found.is_complex():
        raise ValueError(
            f"the {name} targets have the shape {tuple(found.shape)}; boxes (N, most, 5) are wanted: left, top, right "
            "and bottom as shares of width and height, and the class, -1 where there is no more box"
        )
    found = found.float()
    there = found[..., 4] >= 0
    if not bool(there.any()):
        raise ValueError(f"no {name} image has a box: nothing is left to learn")
    problems = (
        (~found.isfinite().all(dim=2), "NaN or infinity"),
        (there & ((found[..., :4] < 0) | (found[..., :4] > 1)).any(dim=2), "no share from 0 to 1"),
        (
            there & (found[..., 2:4] <= found[..., 0:2]).any(dim=2),
            "no width or height: left, top, right, bottom",
        ),
        (found[..., 4] != found[..., 4].round(), "a class that is no whole number"),
    )
    for wrong, what in problems:
        if bool(wrong.any()):
            image, box = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"box {box} of {name} image {image} has {what}: {found[image, box].tolist()}"
            )
    beyond = found[..., 4] >= classes
    if bool(beyond.any()):
        image, box = beyond.nonzero()[0].tolist()
        raise ValueError(
            f"box {box} of {name} image {image} has the class {found[image, box, 4]:g}, and the network {classes} "
            "classes, from 0"
        )
    return found


def pictures(found: Rows, name: str, channels: int) -> Rows:
    if isinstance(found, Tensor) and found.dim() == 3 and channels == 1:
        found = found[:, None]
    if found.dim() != 4 or found.shape[1] != channels or found.dtype.is_complex:
        raise ValueError(
            f"the {name} targets have the shape {tuple(found.shape)}; images (N, {channels}, H, W) are wanted"
        )
    if found.dtype == torch.uint8:
        return found
    found = of_kind(found, torch.float32)
    low, high = extremes(found)
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"the {name} targets are numbers from {low:g} to {high:g}; images are bytes (uint8), or numbers from 0 to 1"
        )
    return found
