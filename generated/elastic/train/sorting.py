"""Sorting channels by importance, so that the first ones are those that a narrower network should keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from elastic.files.documents import fields, listed, number, read_json, text
from elastic.run.distributed import World
from elastic.train.interfaces import Batches, Task
from elastic.train.trainer import run

OF_CHANNELS: Final = frozenset(("weight", "bias", "gain", "running_mean", "running_var"))
NAMES: Final = listed(text)
SET: Final = fields(
    {"rows": NAMES, "columns": NAMES, "judges": NAMES}, {"scores": listed(number(0))}
)
CHANNELS: Final = fields({"network": text, "channels": listed(SET)})
"""What channels.json holds."""


@dataclass(frozen=True, slots=True)
class ChannelSet:
    """Channels that stand in the same place everywhere.

    rows     modules whose tensors have an entry for each channel in their first dimension
    columns  modules whose weight has one in its second dimension: those that read the channels
    judges   those of `columns` whose weights say how important a channel is: a block's projection, not its gate
    scores   the TAS of each of `judges`, where it is known
    """

    rows: Sequence[str]
    columns: Sequence[str]
    judges: Sequence[str]
    scores: Sequence[float] = ()


# --- how important a weight is ----------------------------------------------------------------------
# Of a channel it is the sum over the judges' weights that read it, or of those that write it where nothing reads it.

Importance: TypeAlias = Callable[[Tensor, Tensor | None, float], Tensor]
"""Of each weight, from its value, its gradient and the score of its layer."""


def l1(weight: Tensor, gradient: Tensor | None, score: float) -> Tensor:
    """Its size: Li et al., "Pruning Filters for Efficient ConvNets" (2017), as once-for-all takes it."""
    return weight.abs()


def l2(weight: Tensor, gradient: Tensor | None, score: float) -> Tensor:
    """Its square: channels are in the order of their l2 norms."""
    return weight.square()


def taylor(weight: Tensor, gradient: Tensor | None, score: float) -> Tensor:
    """The square of what the loss would change by without it, to first order: Molchanov et al., "Importance Estimation
    for Neural Network Pruning" (2019), equation 8."""
    assert gradient is not None
    return (weight * gradient).square()


def tas(weight: Tensor, gradient: Tensor | None, score: float) -> Tensor:
    """Its size, weighed by how much the layer that it is in matters: the mean TAS of that layer's ends (TIPS)."""
    return weight.abs() * score


IMPORTANCE: Final[Mapping[str, Importance]] = MappingProxyType(
    {"l1": l1, "l2": l2, "taylor": taylor, "tas": tas}
)


# --- sorting ----------------------------------------------------------------------------------------


def sort_all(
    net: nn.Module, how: str, file: Path, batches: Batches | None, task: Task, world: World
) -> None:
    """Sorts every set of channels of channels.json, the most important first, and says so.

    The largest sub-network keeps its outputs. `taylor` needs `batches` of images and labels. Exits where it has none,
    or where the file has no scores for `tas`.
    """
    if how == "none" or not file.is_file():
        return
    sets = read_channels(file, net)
    if how == "tas" and not all(found.scores for found in sets):
        raise SystemExit("--sort tas: write `sort=tas` in the spec's train { } and compile it")
    if how == "taylor":
        if batches is None:
            raise SystemExit("--sort taylor needs images: --calibrate 1024")
        learn_gradients(net, batches, task)
    for channels in sets:
        order = importance(net, channels, how).argsort(descending=True, stable=True)
        reorder(net, channels, order)
    net.zero_grad(set_to_none=True)
    if world.main:
        print(f"start: {len(sets)} sets of channels sorted by {how}")


def read_channels(file: Path, net: nn.Module) -> list[ChannelSet]:
    """The sets of channels.json. Exits where it is corrupt, or of another network."""
    try:
        found: Any = read_json(file.read_bytes())
        CHANNELS(found)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{file} is corrupt: {error}") from None
    known = {name for name, _ in net.named_modules()}
    sets = [ChannelSet(**row) for row in found["channels"]]
    for name in (name for row in sets for name in (*row.rows, *row.columns)):
        if name not in known:
            raise SystemExit(f"{file} belongs to a different network: it has the layer {name!r}")
    return sets


def learn_gradients(net: Any, batches: Batches, task: Task) -> None:
    """Leaves in each parameter the gradient of the largest sub-network's mean loss over some batches; norms stay."""
    was_training, parameters = net.training, [*net.parameters()]
    learning = [parameter.requires_grad for parameter in parameters]
    net.eval().requires_grad_(True)
    device, plan = parameters[0].device, net.plan()
    for images, labels in batches:
        task.criterion(run(net, images, plan), labels.to(device)).backward()  # type: ignore[no-untyped-call]
    net.train(was_training)
    for parameter, before in zip(parameters, learning, strict=True):
        parameter.requires_grad_(before)


@torch.no_grad()
def importance(net: nn.Module, channels: ChannelSet, how: str = "l1") -> Tensor:
    """(C): how important each channel of a set is."""
    total: Tensor | None = None
    scores = [*channels.scores] or [1.0] * len(channels.judges)
    judges = [(n, 1, score) for n, score in zip(channels.judges, scores, strict=True)]
    for name, dim, score in judges or [(n, 0, 1.0) for n in channels.rows[:1]]:
        weight = net.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
        each = IMPORTANCE[how](weight, gradient, score).transpose(0, dim).flatten(1).sum(dim=1)
        total = each if total is None else total + each
    assert total is not None
    return total


@torch.no_grad()
def reorder(
    net: nn.Module, channels: ChannelSet, order: Tensor, optimizer: Optimizer | None = None
) -> None:
    """Gives channel order[i] the place i, in weights, gradients, norms of all banks and what the optimizer keeps."""
    for tensor, dim in tensors(net, channels):
        kept = [] if optimizer is None else list(optimizer.state.get(tensor, {}).values())
        for own in [tensor, tensor.grad, *kept]:
            if isinstance(own, Tensor) and own.shape == tensor.shape:
                own.copy_(own.index_select(dim, order))


def tensors(net: nn.Module, channels: ChannelSet) -> Iterator[tuple[Tensor, int]]:
    """The parameters and buffers that hold a set of channels, each with the dimension that does."""
    for name in channels.rows:
        module = net.get_submodule(name)
        for own, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if own.rpartition(".")[2] in OF_CHANNELS:
                yield tensor, 0
    for name in channels.columns:
        weight = net.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        yield weight, 1
