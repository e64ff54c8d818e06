"""Whether two networks are one: weights that would show a mix-up, torch's count of MACs, the difference of answers."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from specc.ir.graph import Graph
from tests.helpers.projects import image_shape


def scramble(net: nn.Module) -> None:
    """Weights, scales and statistics that would show a mix-up, and that keep activations in range."""
    numbers = torch.Generator().manual_seed(0)
    saved = net.state_dict()  # a constant that is not saved stays what it is
    with torch.no_grad():
        for name, tensor in itertools.chain(net.named_parameters(), net.named_buffers()):
            if not tensor.is_floating_point() or name not in saved:
                continue
            noise = torch.randn(tensor.shape, generator=numbers)
            noise[noise == 0] = 1.0  # of many millions some are; only what a mask leaves out is to count as none
            if name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
                tensor.copy_(1 + 0.3 * noise.clamp(-2, 2))
            elif tensor.dim() > 1:
                tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
            else:
                tensor.copy_(0.1 * noise)


def counted(net: nn.Module, shape: tuple[int, ...], plan: Any = None) -> int:
    """MACs as torch counts them, on tensors without memory."""
    x = torch.empty(1, *shape, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x) if plan is None else net(x, plan)
    flops: int = counter.get_total_flops()
    return flops // 2


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    assert bool(torch.isfinite(a).all())
    assert float(b.std()) > 0
    return float((a - b).abs().max() / b.abs().max())


def assert_plain(text: str) -> None:
    """A fully extracted network knows neither elastic layers nor plans."""
    for word in ("Elastic", "Banked", "Segmented", "plan", "Cut"):
        assert word not in text, word


def images(graph: Graph, at: Any, side: int) -> torch.Tensor:
    """Two images, small where the network takes any size."""
    channels, *space = image_shape(graph, at)
    fixed = any(choice.kind == "resolution" for choice in graph.choices) or any(
        op.kind in ("flatten", "position") for op in graph.ops
    )
    space = space if fixed else [min(s, side) for s in space]
    return torch.randn(2, channels, *space, generator=torch.Generator().manual_seed(1))


def hand_over(theirs: nn.Module, ours: nn.Module) -> None:
    """Gives ours the weights and statistics of theirs: both hold their layers in the order of execution. Where theirs
    has a 1x1 convolution on a vector ours has a linear layer."""
    values = list(theirs.state_dict().values())
    places = ours.state_dict()
    assert len(values) == len(places)
    for (name, place), value in zip(places.items(), values, strict=True):
        assert place.shape == value.shape or (*place.shape, 1, 1) == value.shape, name
    ours.load_state_dict({n: v.reshape(p.shape) for (n, p), v in zip(places.items(), values, strict=True)})
