"""Which real numbers the eight bits of an activation stand for: measured on images, at the least squared error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, fx

LEVELS: Final = 255
"""The largest whole number of an activation, the least being 0. Beyond both, layers cut off: so does a relu6."""

BINS: Final = 2048
SHRINKS: Final = 64


@dataclass(frozen=True, slots=True)
class Scale:
    """Real numbers are scale * (q - zero), with q from 0 to LEVELS."""

    scale: float
    zero: int


@torch.no_grad()
def measured(
    static: fx.GraphModule, nodes: Iterable[fx.Node], batches: Iterable[tuple[Tensor, ...]]
) -> dict[fx.Node, Scale]:
    """The scale of each of these steps' results over all batches of inputs, which are run twice.

    Raises ValueError where there are no images.
    """
    kept = [*batches]
    if not kept:
        raise ValueError("there are no images to calibrate with")
    ends = Ends(static, nodes)
    for inputs in kept:
        ends.run(*inputs)
    bins = Bins(static, ends.found)
    for inputs in kept:
        bins.run(*inputs)
    return {
        node: scale_of(*best_range(low, high, bins.found[node]))
        for node, (low, high) in ends.found.items()
    }


class Ends(fx.Interpreter):
    """Runs a graph and notes the least and the largest number of some steps; zero is always among them."""

    def __init__(self, static: fx.GraphModule, nodes: Iterable[fx.Node]) -> None:
        super().__init__(static)
        self.found: dict[fx.Node, tuple[float, float]] = dict.fromkeys(nodes, (0.0, 0.0))

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self.found:
            low, high = self.found[n]
            least, largest = torch.aminmax(result)
            self.found[n] = min(low, float(least)), max(high, float(largest))
        return result


class Bins(fx.Interpreter):
    """Runs a graph and counts the numbers of some steps, in bins from their least to their largest."""

    def __init__(self, static: fx.GraphModule, ends: Mapping[fx.Node, tuple[float, float]]) -> None:
        super().__init__(static)
        self.ends = ends
        self.found = {node: torch.zeros(BINS, dtype=torch.float64) for node in ends}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self.found and self.ends[n] != (0.0, 0.0):
            low, high = self.ends[n]
            self.found[n] += torch.histc(result.float(), BINS, low, high).double()
        return result


def best_range(low: float, high: float, counts: Tensor) -> tuple[float, float]:
    """The part of [low, high], shrunk towards zero, that is represented at the least squared error.

    A number inside errs by a rounding, step^2 / 12 on average; one outside by its distance from the end.
    """
    middles = low + (torch.arange(BINS, dtype=torch.float64) + 0.5) * ((high - low) / BINS)
    shrinks = torch.linspace(1, 1 / SHRINKS, SHRINKS, dtype=torch.float64)[:, None]
    cut = middles.clamp(low * shrinks, high * shrinks)
    steps = (high - low) * shrinks / LEVELS
    errors = ((middles - cut) ** 2 + steps**2 / 12) @ counts
    best = float(shrinks[int(errors.argmin())])
    return low * best, high * best


def scale_of(low: float, high: float) -> Scale:
    """Zero is one of the numbers exactly: padding and cut-off values are."""
    scale = float(f"{max(high - low, 1e-8) / LEVELS:.6g}")
    return Scale(scale, min(LEVELS, max(0, round(-low / scale))))
