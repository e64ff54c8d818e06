"""Elastic layers that are changed, and weights for them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn


def scrambled(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5)
    return layer


CHANGES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "optimizer step": lambda layer: stepped(layer),
    "load_state_dict": lambda layer: loaded(layer, assign=False),
    "load_state_dict(assign=True)": lambda layer: loaded(layer, assign=True),
    "a copy": lambda layer: scrambled(copy.deepcopy(layer)),
    "another type": lambda layer: layer.double(),
    "data replaced": lambda layer: replaced(layer),
    "data overwritten": lambda layer: overwritten(layer),
}


def stepped(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.SGD(layer.parameters(), 0.5).step()
    return layer


def loaded(layer: nn.Module, assign: bool) -> nn.Module:
    other = scrambled(copy.deepcopy(layer))
    layer.load_state_dict(other.state_dict(), assign=assign)
    return layer


def replaced(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        parameter.data = torch.rand_like(parameter)
    return layer


def overwritten(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        parameter.data.mul_(3)
    return layer
