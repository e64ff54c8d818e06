"""Batch norm for the active channels of a sub-network, with banks and with calibrated statistics."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.layers.banks import Banks
from elastic.layers.synced import normalised
from elastic.net.plan import Cut, weight_and_bias
from elastic.net.sizes import Size, largest, total

Statistics: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]


class NormCut(Cut):
    """The first `features` channels of bank `bank`; `mean` and `var` [features] where the plan was calibrated."""

    __slots__ = fields = ("features", "bank", "mean", "var")

    features: int
    bank: int
    mean: Tensor | None
    var: Tensor | None

    def calibrated(self, mean: Tensor, var: Tensor) -> NormCut:
        """The same cut with statistics of its own, which eval mode uses in place of the running ones."""
        return NormCut(self.features, self.bank, mean, var)


class BatchNorm(_BatchNorm):
    """`nn.BatchNorm1d` and `2d` at their largest size. Input and output [N, C] or [N, C, H, W] with the cut's channels.

    In train mode the active channels are normalised with the batch's statistics and their running ones updated. With
    `banks` there are several norms for one place, of which each sub-network uses one, `bank`: see `Banks`.
    """

    plain: type[_BatchNorm]
    synced = False
    """Whether train mode's statistics are those of all processes' batches: `synced.synchronise`."""

    def __new__(cls, *args: Any, banks: int | None = None, **more: Any) -> Any:
        if banks is None:
            return super().__new__(cls)
        bank = more.pop("bank", 0)
        return Banks((cls(*args, **more) for _ in range(banks)), bank)

    def __init__(
        self,
        features: Size,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(largest(total(features)), eps, momentum, affine)
        self.sizes = (features,)
        if not affine:  # a scale of 1 and an offset of 0, which are not learned and not saved
            ones, zeros = torch.ones(self.num_features), torch.zeros(self.num_features)
            for name, constant in (("weight", ones), ("bias", zeros)):
                delattr(self, name)
                self.register_buffer(name, constant, persistent=False)

    def cut(self, features: int, bank: int = 0) -> NormCut:
        """The cut for this channel count; never None, as a plan may keep statistics in it."""
        return NormCut(features, bank, None, None)

    part = cut

    def forward(self, x: Tensor, cut: NormCut | None = None) -> Tensor:
        if self.training:
            return self.normalise_batch(x, self.num_features if cut is None else cut.features)
        weight, bias, mean, var = self.statistics(cut)
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, self.eps)

    def normalise_batch(self, x: Tensor, n: int) -> Tensor:
        """Train mode on the first `n` channels."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        # without a momentum the running statistics are the average of all batches, as in nn.BatchNorm2d
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        weight, bias, mean, var = self.own()
        if n != self.num_features:
            weight, bias, mean, var = weight[:n], bias[:n], mean[:n], var[:n]
        return normalised(x, mean, var, weight, bias, momentum, self.eps, self.synced)

    def own(self) -> Statistics:
        """Weight, bias, running mean and running variance [num_features]."""
        weight, bias = weight_and_bias(self)
        buffers: dict[str, Any] = self._buffers
        return (
            weight,
            bias,
            buffers["running_mean"],
            buffers["running_var"],
        )

    def statistics(self, cut: NormCut | None) -> Statistics:
        """Weight, bias, mean and variance [features] for eval mode: views, or what calibration found."""
        weight, bias, mean, var = own = self.own()
        if cut is None or (cut.features == self.num_features and cut.mean is None):
            return own
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return slices(cut, own)
        views: Statistics
        addresses, views = cut._memory
        here = (weight.data_ptr(), bias.data_ptr(), mean.data_ptr(), var.data_ptr())
        if addresses != here:
            views = slices(cut, (weight.detach(), bias.detach(), mean, var))
            cut.remember(here, views)
        return views

    @torch.no_grad()
    def extracted(self, cut: NormCut | None) -> _BatchNorm:
        """A plain `nn.BatchNorm1d` or `2d` with copies of what the cut uses."""
        weight, bias, mean, var = self.own() if cut is None else slices(cut, self.own())
        return self.plain_norm(weight, bias, mean, var)

    def plain_norm(self, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> _BatchNorm:
        """A plain norm that holds copies of these."""
        plain = self.plain(len(mean), self.eps, self.momentum, self.affine, device="meta")
        if self.affine:
            plain.weight, plain.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        plain.running_mean, plain.running_var = mean.clone(), var.clone()
        assert self.num_batches_tracked is not None
        plain.num_batches_tracked = self.num_batches_tracked.clone()
        return plain.train(self.training)


class BatchNorm1d(BatchNorm):
    """For vectors [N, C]."""

    plain = nn.BatchNorm1d


class BatchNorm2d(BatchNorm):
    """For feature maps [N, C, H, W]."""

    plain = nn.BatchNorm2d


def slices(cut: NormCut, own: Statistics) -> Statistics:
    n = cut.features
    weight, bias, mean, var = own
    if cut.mean is None or cut.var is None:
        return weight[:n], bias[:n], mean[:n], var[:n]
    return weight[:n], bias[:n], cut.mean.to(mean), cut.var.to(var)
