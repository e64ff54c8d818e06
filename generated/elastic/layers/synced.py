"""Batch norms whose statistics are those of all processes' batches, as `nn.SyncBatchNorm`'s are: for small batches."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise(net: nn.Module) -> nn.Module:
    """Has all batch norms of an elastic network normalise over the batches of all processes while it trains.

    The network is changed and returned; torch's own `convert_sync_batchnorm` does not know elastic norms. Raises
    TypeError where a norm is neither elastic nor torch's.
    """
    for path, norm in net.named_modules():
        if hasattr(norm, "synced"):
            norm.synced = True
        elif isinstance(norm, _BatchNorm) and not isinstance(norm, nn.SyncBatchNorm):
            raise TypeError(f"{path} is a {type(norm).__name__}, which cannot be synchronised here")
    return net


def normalised(
    x: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor,
    bias: Tensor,
    momentum: float,
    eps: float,
    synced: bool,
) -> Tensor:
    """`F.batch_norm` in train mode, x [N, C, ..]; where it is `synced`, over the batches of all processes."""
    if not synced or not dist.is_initialized() or dist.get_world_size() == 1:
        return F.batch_norm(x, mean, var, weight, bias, True, momentum, eps)
    axes = [0, *range(2, x.dim())]
    shape = (1, -1, *[1] * (x.dim() - 2))
    real = x.float()
    count = real.new_full((1,), x.numel() / x.shape[1])
    sums = summed(torch.cat((real.sum(axes), count)))
    n = sums[-1].detach()
    centre = sums[:-1] / n
    off = real - centre.view(shape)
    spread = summed((off * off).sum(axes)) / n
    with torch.no_grad():
        mean.lerp_(centre.to(mean), momentum)
        var.lerp_((spread * n / (n - 1)).to(var), momentum)
    y = off * torch.rsqrt(spread + eps).view(shape)
    return (y * weight.view(shape) + bias.view(shape)).to(x.dtype)


def summed(x: Tensor) -> Tensor:
    """The sum over all processes, through which gradients flow."""
    total: Any = Sum.apply(x)
    return total  # type: ignore[no-any-return]


class Sum(torch.autograd.Function):
    """What each process adds reaches all of them; so do their gradients come back from all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total
