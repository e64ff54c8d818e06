"""Weights in eight bits: every output channel of a convolution or linear layer with a scale of its own.

Activations stay as they are. PyTorch is giving up its own quantised layers (torch.ao.quantization) for packages of
their own; eight-bit weights that are scaled when they are used need nothing that changes between versions, can be
exported, and take a quarter of the space. They save memory, not multiplications.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize


class Scaled(nn.Module):
    """A weight [out, ...] from its whole numbers, -127 to 127, and a scale for each output channel."""

    def forward(self, codes: Tensor, scale: Tensor) -> Tensor:
        return codes.to(scale.dtype) * scale

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """codes = round(w / s), with s the channel's largest |w| over 127."""
        largest = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
        scale = (largest / 127).clamp_min(torch.finfo(weight.dtype).tiny)
        return torch.round(weight / scale).to(torch.int8), scale


@torch.no_grad()
def with_int8_weights(static: fx.GraphModule) -> fx.GraphModule:
    """A copy of a bound network, norms folded, that keeps the weights of its layers in eight bits."""
    made = copy.deepcopy(static).requires_grad_(False)
    for layer in list(made.modules()):
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            parametrize.register_parametrization(layer, "weight", Scaled(), unsafe=True)
    return made.eval()
