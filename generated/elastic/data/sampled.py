"""A torch Dataset of one's own: pairs of inputs and target, read by the worker processes, checked as they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from elastic.data.arrays import check_finite, kept
from elastic.data.images import Images
from elastic.data.targets import Wanted, check_size, targets_of

LOOKED_AT = 64
"""Examples that are read and checked before training begins; all others are as they are read."""


class Pairs:
    """A torch Dataset whose inputs and targets are checked as they are read: for a network of one input or several.

    inputs, targets  of the examples that were looked at first, an array for each input, those of the first one's shape
    """

    def __init__(self, source: Any, name: str, task: Wanted) -> None:
        self.source = source
        self.name = name
        self.kind, self.count = task.kind, task.count
        self.scale = int(getattr(task, "scale", 1))
        self.inputs: tuple[Tensor, ...] = ()
        self.targets: Any = ()

    def read(self, place: int) -> tuple[tuple[Tensor, ...], Any]:
        """The inputs, without a batch, and the target of one example. Raises ValueError where they are no such."""
        item = self.source[place]
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise ValueError(f"it is {type(item).__name__}, not a pair (inputs, target)")
        given, target = item
        several = given if isinstance(given, tuple) else (given,)
        inputs, made = tuple(input_of(x, self.name) for x in several), self.target(target)
        if isinstance(made, Tensor) and inputs:
            check_size(inputs[0].shape, made.shape, self.name, self)
        return inputs, made

    def target(self, given: Any) -> Any:
        if self.kind == "free":
            return torch.as_tensor(given)
        if self.kind == "classes":
            number = given.item() if isinstance(given, (Tensor, np.ndarray, np.generic)) else given
            if not isinstance(number, (int, float)) or number != number // 1 or number < 0:
                raise ValueError(f"its target is {number!r}; a class number from 0 is wanted")
            if number >= self.count:
                raise ValueError(
                    f"its class is {number}, and the network has {self.count} classes, from 0"
                )
            return int(number)
        array = given if isinstance(given, Tensor) else torch.as_tensor(np.asarray(given))
        made = targets_of(array[None], self.name, self)
        assert isinstance(made, Tensor)
        return made[0]


def input_of(given: Any, name: str) -> Tensor:
    """One input (C, H, W) or (F,): bytes, numbers of 16 bits in int32, else float32. PIL's pictures are taken, too."""
    if not isinstance(given, Tensor):
        array = np.array(given)
        # A picture of PIL, or as OpenCV and numpy people keep it, has its channels last.
        if hasattr(given, "getbands") and array.ndim == 3:
            array = array.transpose(2, 0, 1)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"its inputs are {type(given).__name__}, no numbers")
        given = torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))
    numbers: Tensor = given.detach().to(kept(given.dtype))
    if numbers.dim() == 2:
        numbers = numbers[None]
    if numbers.dim() not in (1, 3):
        wanted = "(C, H, W) of an image or (F) of a vector is wanted"
        raise ValueError(f"its input has the shape {tuple(numbers.shape)}; {wanted}")
    if numbers.is_floating_point():
        check_finite(numbers[None], f"{name} input, seen alone,")
    return numbers


def is_dataset(part: Any) -> bool:
    """Whether it is a torch Dataset that is asked for its examples by their places."""
    return isinstance(part, Dataset) and not isinstance(part, Tensor)


def sampled(part: Any, name: str, task: Wanted) -> Images:
    """The examples of a Dataset. Raises ValueError where it has no length, or gives no such examples."""
    if isinstance(part, IterableDataset) or not hasattr(part, "__len__"):
        raise ValueError(
            f"the {name} part is a Dataset without places: one with __len__ and __getitem__ is wanted"
        )
    count = len(part)
    if not count:
        raise ValueError(f"the {name} part is empty")
    source = Pairs(part, name, task)
    read: list[tuple[tuple[Tensor, ...], Any]] = []
    for place in range(0, count, max(1, count // LOOKED_AT)):
        try:
            read.append(source.read(place))
        except Exception as error:  # it is a user's code
            text = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{name} example {place} of the Dataset: {text}") from None
    first = [x.shape for x in read[0][0]]
    if odd := next((inputs for inputs, _ in read if len(inputs) != len(first)), None):
        raise ValueError(f"{name} examples have {len(first)} inputs, and {len(odd)}")
    same = [inputs for inputs, _ in read if [x.shape for x in inputs] == first]
    source.inputs = tuple(torch.stack(list(column)) for column in zip(*same, strict=True))
    targets = [target for _, target in read]
    if isinstance(targets[0], Tensor) and len({t.shape for t in targets}) == 1:
        source.targets = torch.stack(targets)
    return Images(tuple(range(count)), source=source)
