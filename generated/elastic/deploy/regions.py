"""Where the weights of an extracted sub-network lie in those of its network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elastic.net.extract import extract

Places: TypeAlias = "NDArray[np.int64]"
Floats: TypeAlias = "NDArray[np.float32]"

CLOSE: Final = 2e-6
"""How far rounding to single precision may move a weight, as a share of the largest of its channel."""


@dataclass(frozen=True, slots=True)
class Run:
    """Places `start`, `start + step`, ... before `stop` of an axis."""

    start: int
    stop: int
    step: int = 1


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the tensor `name` of a network: along every axis the runs that are taken, in their order.

    An axis that is taken whole has no runs.
    """

    name: str
    axes: tuple[tuple[Run, ...], ...]

    def of(self, tensor: Floats) -> Floats:
        """This part of a tensor."""
        for axis, runs in enumerate(self.axes):
            if runs:
                before = (slice(None),) * axis
                parts = [tensor[(*before, slice(run.start, run.stop, run.step))] for run in runs]
                tensor = np.concatenate(parts, axis)
        return tensor


class Marked:
    """A copy of a network whose every weight is a number of its own: extraction then tells where each is taken to."""

    def __init__(self, net: nn.Module) -> None:
        self.net = copy.deepcopy(net).cpu().double().eval()
        self.spans: list[tuple[str, int, tuple[int, ...]]] = []
        start = 0
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    numbers = torch.arange(start, start + value.numel(), dtype=torch.float64)
                    value.copy_(numbers.view_as(value))
                    self.spans.append((name, start, tuple(value.shape)))
                    start += value.numel()
        self.starts = np.array([first for _, first, _ in self.spans], np.int64)

    def regions(self, plan: Any) -> dict[str, Region]:
        """Of a sub-network extracted without folding: its tensors that are part of one tensor of the network, each
        with the places of its elements. Weights that are computed from others are none."""
        state = extract(self.net, plan, resized=False).state_dict()
        found = {name: self.region(value) for name, value in state.items()}
        return {name: region for name, region in found.items() if region is not None}

    def region(self, marks: Tensor) -> Region | None:
        if not marks.is_floating_point() or marks.numel() == 0:
            return None
        values = marks.double().numpy()
        numbers = values.astype(np.int64)
        if not (numbers == values).all() or numbers.min() < 0:
            return None
        span = int(np.searchsorted(self.starts, numbers.flat[0], "right")) - 1
        name, start, shape = self.spans[span]
        if numbers.ndim != len(shape) or numbers.max() >= start + int(np.prod(shape)):
            return None
        return region_of(name, numbers - start, shape)


def region_of(name: str, places: Places, shape: Sequence[int]) -> Region | None:
    """The region that takes these places of a flattened tensor; None where they are no product of places per axis."""
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    first = places.flat[0]
    rows: list[Places] = []
    for axis, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        along = np.moveaxis(places, axis, -1).reshape(-1, places.shape[axis])[0]
        rows.append((along - first) // stride + first // stride % size)
    if any((row < 0).any() or (row >= size).any() for row, size in zip(rows, shape, strict=True)):
        return None
    again = sum(
        (row * stride).reshape([-1 if axis == at else 1 for at in range(len(shape))])
        for axis, (row, stride) in enumerate(zip(rows, strides, strict=True))
    )
    if not np.array_equal(np.broadcast_to(again, places.shape), places):
        return None
    whole = [np.array_equal(row, np.arange(size)) for row, size in zip(rows, shape, strict=True)]
    return Region(
        name, tuple(() if all_ else runs_of(row) for row, all_ in zip(rows, whole, strict=True))
    )


def runs_of(places: Places) -> tuple[Run, ...]:
    """Rising places as few runs, each with steps of one size."""
    runs: list[Run] = []
    row = places.tolist()
    start = 0
    while start < len(row):
        stop = start + 1
        step = row[stop] - row[start] if stop < len(row) else 1
        if step < 1:
            step = 1
        while stop < len(row) and row[stop] - row[stop - 1] == step:
            stop += 1
        if stop - start == 2 and step > 1:
            stop = start + 1  # two places far apart are runs of their own
            step = 1
        runs.append(Run(row[start], row[stop - 1] + 1, step))
        start = stop
    return tuple(runs)


def scales(region: Floats, wanted: Floats, axis: int) -> Floats | None:
    """The factors along an axis that make the weights of a region those that are wanted; None where none do."""
    rows = np.moveaxis(region, axis, 0).reshape(region.shape[axis], -1).astype(np.float64)
    goals = np.moveaxis(wanted, axis, 0).reshape(region.shape[axis], -1).astype(np.float64)
    if not (np.isfinite(rows).all() and np.isfinite(goals).all()):
        return None
    squares = (rows * rows).sum(1)
    factors = np.where(squares > 0, (rows * goals).sum(1) / np.where(squares > 0, squares, 1), 1)
    apart = np.abs(rows * factors[:, None] - goals).max(1, initial=0)
    if (apart > CLOSE * np.abs(goals).max(1, initial=0)).any():
        return None
    return factors.astype(np.float32)
