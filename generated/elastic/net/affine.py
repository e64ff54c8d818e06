"""Batch norms in eval mode as what they are: x * scale + shift, with scale = weight / sqrt(var + eps) and
shift = bias - mean * scale, for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Norm: TypeAlias = tuple[Any, Any]
"""A norm, or banks of norms, and a cut."""

Statistics: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, float]
"""Weight, bias, mean and variance of the channels in use, and epsilon."""

Sides: TypeAlias = tuple[Tensor, Tensor]
"""Scale [C, 1, 1, 1], as a convolution's weight is multiplied by, and shift [C]."""


def affine(norms: Sequence[Norm]) -> list[Sides]:
    """The scales and shifts of norms as they are now."""
    found = [statistics(*norm) for norm in norms]
    return sides(numbers(found), found) if found else []


class LiveNorms:
    """The scales and shifts of norms, each [1, C, 1, 1], as they are at each call.

    On the CPU they are kept from one call to the next where all the numbers that they come from are
    the same, which takes a fourth of the time.
    """

    def __init__(self, norms: Sequence[Norm]) -> None:
        self.norms = norms
        self.known: tuple[Tensor, list[float], list[Sides]] | None = None

    def __call__(self) -> list[Sides]:
        if not self.norms:
            return []
        found = [statistics(*norm) for norm in self.norms]
        table, eps = numbers(found), [norm[4] for norm in found]
        known = self.known  # another thread may put others in their place meanwhile
        if known is None or eps != known[1] or not same(table, known[0]):
            known = table, eps, [for_maps(side) for side in sides(table, found)]
            self.known = known
        return known[2]


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors on the CPU have the same numbers; on other devices it takes longer to know."""
    if one.device.type != "cpu" or one.device != other.device or one.dtype != other.dtype:
        return False
    return torch.equal(one, other)


def statistics(norm: Any, cut: Any) -> Statistics:
    """What a norm uses in eval mode."""
    own = norm[cut.bank] if isinstance(norm, nn.ModuleList) else norm
    return (*own.statistics(cut), own.eps) if hasattr(own, "statistics") else plain_statistics(own)


def plain_statistics(norm: _BatchNorm) -> Statistics:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps


def numbers(norms: Sequence[Statistics]) -> Tensor:
    """Weights, biases, means and variances [4, channels of all norms]."""
    rows: list[Any] = [norm[i] for i in range(4) for norm in norms]
    return torch.cat(rows).view(4, -1)


def sides(table: Tensor, norms: Sequence[Statistics]) -> list[Sides]:
    """Scales and shifts, all of them at once and in double precision."""
    sizes = [len(norm[0]) for norm in norms]
    weight, bias, mean, var = table.double()
    eps = {norm[4] for norm in norms}
    if len(eps) == 1:
        var += eps.pop()
    else:
        var += torch.cat(
            [var.new_full((n,), norm[4]) for n, norm in zip(sizes, norms, strict=True)]
        )
    scale = weight * var.rsqrt_()
    shift = torch.addcmul(bias, mean, scale, value=-1)
    scales = torch.split(scale.to(table.dtype).view(-1, 1, 1, 1), sizes)
    shifts = torch.split(shift.to(table.dtype), sizes)
    return list(zip(scales, shifts, strict=True))


def for_maps(side: Sides) -> Sides:
    """Scale and shift, each [1, C, 1, 1]."""
    scale, shift = side
    return scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1)
