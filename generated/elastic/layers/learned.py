"""The learned scale and offset of a norm without statistics, each of which may be missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from elastic.net.plan import Cut

Learned: TypeAlias = tuple[Tensor | None, Tensor | None]
"""A scale and an offset."""


def first(norm: Any, cut: Cut, n: int) -> Learned:
    """The first `n` numbers of a norm's scale and offset: views, which the cut remembers in inference."""
    weight, bias = norm.weight, norm.bias
    if weight is None:
        return None, None
    if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
        return weight[:n], None if bias is None else bias[:n]
    views: Learned
    addresses, views = cut._memory
    here = (weight.data_ptr(), 0 if bias is None else bias.data_ptr())
    if addresses != here:
        views = weight.detach()[:n], None if bias is None else bias.detach()[:n]
        cut.remember(here, views)
    return views


def give(
    plain: nn.Module, weight: Tensor | None, bias: Tensor | None, part: Callable[[Tensor], Tensor]
) -> None:
    """Gives a plain norm copies of parts of a scale and an offset; what is missing is missing there, too."""
    for name, learned in (("weight", weight), ("bias", bias)):
        copy = None if learned is None else nn.Parameter(part(learned.detach()).clone())
        plain.register_parameter(name, copy)
