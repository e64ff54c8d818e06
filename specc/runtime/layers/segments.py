"""Weights for channels that come in several runs, of each of which a sub-network may use the first ones.

What reads `torch.cat((a, b), 1)` has weights for all of a's channels and then for b's. Where a is narrow, the weights
in use are not the first ones: they are gathered, run by run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from specc.runtime.net.plan import Cut

Runs: TypeAlias = tuple[tuple[int, int], ...]
"""Where each run of weights in use starts, and how many they are. Runs that touch are one."""


Counts: TypeAlias = int | Sequence[int]
"""Channels: how many there are, or how many in each of several runs."""


def listed(counts: Counts) -> tuple[int, ...]:
    return (counts,) if isinstance(counts, int) else tuple(counts)


def runs(counts: Sequence[int], sizes: Sequence[int]) -> Runs:
    """The weights of the first `counts[i]` channels of each run of `sizes[i]`."""
    found: list[tuple[int, int]] = []
    start = 0
    for count, size in zip(counts, sizes, strict=True):
        before = found[-1] if found else (0, 0)
        if sum(before) == start:
            found[-1:] = [(before[0], before[1] + count)]
        else:
            found.append((start, count))
        start += size
    return tuple(found)


def gathered(tensor: Tensor, runs: Runs, axis: int = 0) -> Tensor:
    """The runs of a tensor along an axis, one after another: a view where there is one, else a copy."""
    pieces = [tensor.narrow(axis, start, count) for start, count in runs]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, axis)


@torch.no_grad()
def scatter(tensor: Tensor, values: Tensor, runs: Runs) -> None:
    """Puts gathered values [counts of the runs] back where they were gathered from."""
    for (start, count), piece in zip(runs, torch.split(values, [c for _, c in runs]), strict=True):
        tensor[start : start + count] = piece


class Remembers:
    """A layer whose gathered weights are remembered by cuts, in inference, until its own are changed.

    torch counts the changes that are made to a tensor in place, but not those of fused optimizers and not those of
    running statistics. A layer therefore notes its calls in training as well, one of which comes before; and while its
    parameters have gradients, which the next step will use, nothing is remembered. Changes through `.data` alone are
    not seen.
    """

    trained: object = None
    """Another list after each call in training: which one it is tells whether there was one. A count would have
    torch.compile write a graph for every number."""

    def counts(self, training: bool) -> None:
        """Notes a call; in training, if it is one."""
        if training or torch.is_grad_enabled():
            self.trained = []

    def remembered(self, cut: Cut, own: Sequence[Tensor | None], slices: Callable[..., Any]) -> Any:
        """`slices(*own)` without gradients, from the cut's memory if nothing was changed since it was gathered."""
        trained = self.trained
        here = (id(trained), *marks(own))
        addresses, kept = cut._memory
        changing = any(t is not None and t.requires_grad and t.grad is not None for t in own)
        if addresses == here and not changing:
            return kept[: len(kept) - len(own) - 1]
        detached = [None if tensor is None else tensor.detach() for tensor in own]
        views = slices(*detached)
        if not changing:
            # with the tensors and the list themselves, so that no others can come to lie where they do
            cut.remember(here, (*views, *detached, trained))
        return views


def marks(tensors: Sequence[Tensor | None]) -> tuple[int, ...]:
    """Where tensors lie and how often they were changed.

    Tensors of inference mode have no count: a mark of 0, under which a cut remembers nothing.
    """
    found: list[int] = []
    for tensor in tensors:
        if tensor is not None:
            found += (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version + 1)
    return tuple(found)
