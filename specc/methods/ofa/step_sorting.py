"""Sorting channels by importance, so that the first ones are those that a narrower network should keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from specc.runtime.train.trainer import Trainer

OF_CHANNELS = frozenset(("weight", "bias", "running_mean", "running_var"))


@dataclass(frozen=True, slots=True)
class ChannelSet:
    """Channels that stand in the same place everywhere.

    rows     modules whose tensors have an entry for each channel in their first dimension
    columns  modules whose weight has one in its second dimension: those that read the channels
    judges   those of `columns` whose weights say how important a channel is: a block's projection, not its gate
    sorted   how many channels, the first ones, are sorted before a stage; by the stage's number
    """

    rows: Sequence[str]
    columns: Sequence[str]
    judges: Sequence[str]
    sorted: Mapping[int, int]


def sort_channels(trainer: Trainer, channels: ChannelSet, first: int) -> Tensor:
    """Reorders the first so many of a set of channels in the network, its moving average and its optimizer: the most
    important first.

    No sub-network that has all of them changes its output. Returns the order (C): which channel comes first, second, ..
    """
    norm = importance(trainer.net, channels)
    order = torch.arange(len(norm), device=norm.device)
    order[:first] = norm[:first].argsort(descending=True, stable=True)
    reorder(trainer.net, channels, order, trainer.optimizer)
    if trainer.evaluated is not trainer.net:
        reorder(trainer.evaluated, channels, order)
    return order


@torch.no_grad()
def importance(net: nn.Module, channels: ChannelSet) -> Tensor:
    """(C): the l1 norm of the weights of `judges` that read a channel; if none reads it, of those that write it."""
    total: Tensor | None = None
    for name, dim in [(n, 1) for n in channels.judges] or [(n, 0) for n in channels.rows[:1]]:
        weight = net.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        norm = weight.abs().transpose(0, dim).flatten(1).sum(dim=1)
        total = norm if total is None else total + norm
    assert total is not None
    return total


@torch.no_grad()
def reorder(
    net: nn.Module, channels: ChannelSet, order: Tensor, optimizer: Optimizer | None = None
) -> None:
    """Gives channel order[i] the place i, in weights, norms of all banks and what the optimizer keeps of them."""
    for tensor, dim in tensors(net, channels):
        kept = [] if optimizer is None else list(optimizer.state.get(tensor, {}).values())
        for own in [tensor, *kept]:
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
