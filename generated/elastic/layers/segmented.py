"""Elastic layers on channels that come in several runs, as those of a concatenation do.

A sub-network uses the first channels of every run. In inference the weights gathered for it are remembered by its cut
until the layer's own are changed.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.layers.batch_norm import BatchNorm, NormCut, Statistics
from elastic.layers.conv import Conv2d, ConvCut, Window, border, central, pair
from elastic.layers.segments import Counts, Remembers, Runs, gathered, listed, runs, scatter
from elastic.layers.synced import normalised
from elastic.net.plan import Cut, weight_and_bias
from elastic.net.sizes import Size, largest, total

Views: TypeAlias = tuple[Tensor, Tensor | None]
"""A weight and a bias."""


class SegmentedConvCut(ConvCut):
    """The output channels `rows` and, of each group, the input channels `columns`; the central taps."""

    __slots__ = ("columns", "rows")
    fields = ("rows", "columns", "kernel", "groups", "padding")

    rows: Runs
    columns: Runs


class SegmentedConv2d(Remembers, Conv2d):
    """`Conv2d` on runs of channels, in or out. Grouped ones keep whole groups of each run.

    Input [N, sum of in_, H, W], output [N, sum of out, H', W'], with the cut's channels.
    """

    def __init__(
        self,
        in_: Size,
        out: Size,
        kernel: Size,
        stride: Window = 1,
        padding: Size = 0,
        dilation: Window = 1,
        groups: Size = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_, out, kernel, stride, padding, dilation, groups, bias)
        self.run_sizes, self.out_sizes = listed(largest(in_)), listed(largest(out))

    def cut(
        self,
        in_: Counts,
        out: Counts,
        kernel: Window | None = None,
        padding: Window | None = None,
    ) -> SegmentedConvCut | None:
        """The cut for these counts, one a run; None where nothing is cut off."""
        whole = self.kernel_size
        taps = whole if kernel is None else pair(kernel)
        if (listed(in_), listed(out), taps) == (self.run_sizes, self.out_sizes, whole):
            return None
        return self.part(in_, out, taps, padding)

    def part(
        self,
        in_: Counts,
        out: Counts,
        kernel: Window | None = None,
        padding: Window | None = None,
    ) -> SegmentedConvCut:
        """The cut for these counts, one a run, also of all."""
        kernel = self.kernel_size if kernel is None else pair(kernel)
        inputs, outputs = listed(in_), listed(out)
        zeros = border(self, kernel, padding)
        rows = runs(outputs, self.out_sizes)
        if self.groups == 1:
            columns = runs(inputs, self.run_sizes)
            return SegmentedConvCut(rows, columns, kernel, 1, zeros)
        per_group = self.in_channels // self.groups
        groups = sum(inputs) // per_group
        return SegmentedConvCut(rows, ((0, per_group),), kernel, groups, zeros)

    def forward(self, x: Tensor, cut: ConvCut | None = None) -> Tensor:
        self.counts(False)
        return super().forward(x, cut)

    def weights(self, cut: ConvCut) -> Views:
        """The weight [out, in / groups, kernel, kernel] and bias [out] that a cut uses, gathered."""
        weight, bias = weight_and_bias(self)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return self.slices(cut, weight, bias)
        views: Views = self.remembered(cut, (weight, bias), lambda w, b: self.slices(cut, w, b))
        return views

    def slices(self, cut: ConvCut, weight: Tensor, bias: Tensor | None) -> Views:
        assert isinstance(cut, SegmentedConvCut)
        weight = gathered(gathered(central(weight, cut.kernel), cut.rows), cut.columns, 1)
        return weight, None if bias is None else gathered(bias, cut.rows)


class SegmentedLinearCut(Cut):
    """The output features `rows` and the input features `columns`."""

    __slots__ = fields = ("rows", "columns")

    rows: Runs
    columns: Runs


class SegmentedLinear(Remembers, nn.Linear):
    """`nn.Linear` at its largest size on runs of features, in or out, called with the cut of a sub-network.

    Input [N, sum of in_] or [N, T, sum of in_], output [N, sum of out] or [N, T, sum of out].
    """

    def __init__(self, in_: Size, out: Size, bias: bool = True) -> None:
        super().__init__(largest(total(in_)), largest(total(out)), bias)
        self.run_sizes, self.out_sizes = listed(largest(in_)), listed(largest(out))
        self.width = out  # a choice has its name from this
        self.sizes = (in_, out)

    def cut(self, in_: Counts, out: Counts) -> SegmentedLinearCut | None:
        """The cut for these counts, one a run; None where nothing is cut off."""
        whole = (listed(in_), listed(out)) == (self.run_sizes, self.out_sizes)
        return None if whole else self.part(in_, out)

    def part(self, in_: Counts, out: Counts) -> SegmentedLinearCut:
        """The cut for these counts, one a run, also of all."""
        rows, columns = runs(listed(out), self.out_sizes), runs(listed(in_), self.run_sizes)
        return SegmentedLinearCut(rows, columns)

    def forward(self, x: Tensor, cut: SegmentedLinearCut | None = None) -> Tensor:
        self.counts(False)
        if cut is None:
            return F.linear(x, self.weight, self.bias)
        weight, bias = self.weights(cut)
        return F.linear(x, weight, bias)

    def weights(self, cut: SegmentedLinearCut) -> Views:
        """The weight [out, in] and bias [out] that a cut uses, gathered."""
        weight, bias = weight_and_bias(self)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return linear_slices(cut, weight, bias)
        views: Views = self.remembered(cut, (weight, bias), lambda w, b: linear_slices(cut, w, b))
        return views

    @torch.no_grad()
    def extracted(self, cut: SegmentedLinearCut | None) -> nn.Linear:
        """A plain `nn.Linear` with a copy of the weights that the cut uses."""
        own: Views = self.weight, self.bias
        weight, bias = own if cut is None else linear_slices(cut, *own)
        plain = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


class SegmentedNormCut(NormCut):
    """The channels `runs`, `features` in all, of bank `bank`, with the plan's statistics if it was calibrated."""

    __slots__ = ("runs",)
    fields = ("features", "bank", "mean", "var", "runs")  # type: ignore[assignment]

    runs: Runs

    def calibrated(self, mean: Tensor, var: Tensor) -> SegmentedNormCut:
        """The same cut with statistics of its own, which eval mode uses in place of the running ones."""
        return SegmentedNormCut(self.features, self.bank, mean, var, self.runs)


class SegmentedBatchNorm(Remembers, BatchNorm):
    """`BatchNorm1d` and `2d` on runs of channels: `features` are those of each run."""

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
        super().__init__(features, eps, momentum, affine)
        self.run_sizes = listed(largest(features))

    def cut(self, features: Counts, bank: int = 0) -> SegmentedNormCut:
        counts = listed(features)
        return SegmentedNormCut(sum(counts), int(bank), None, None, runs(counts, self.run_sizes))

    part = cut

    def forward(self, x: Tensor, cut: NormCut | None = None) -> Tensor:
        self.counts(self.training)
        if not self.training or cut is None or cut.features == self.num_features:
            return super().forward(x, cut)
        assert isinstance(cut, SegmentedNormCut)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        own = self.own()
        weight, bias, mean, var = (gathered(tensor, cut.runs) for tensor in own)
        y = normalised(x, mean, var, weight, bias, momentum, self.eps, self.synced)
        if len(cut.runs) > 1:  # copies were updated; a single run is a view
            scatter(own[2], mean, cut.runs)
            scatter(own[3], var, cut.runs)
        return y

    def statistics(self, cut: NormCut | None) -> Statistics:
        """Weight, bias, mean and variance [features] for eval mode, gathered, or what calibration found."""
        own = self.own()
        if cut is None or (cut.features == self.num_features and cut.mean is None):
            return own
        assert isinstance(cut, SegmentedNormCut)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return norm_slices(cut, own)
        views: Statistics = self.remembered(cut, own, lambda *tensors: norm_slices(cut, tensors))
        return views

    @torch.no_grad()
    def extracted(self, cut: NormCut | None) -> _BatchNorm:
        """A plain `nn.BatchNorm1d` or `2d` with copies of what the cut uses."""
        if cut is None:
            return super().extracted(None)
        assert isinstance(cut, SegmentedNormCut)
        return self.plain_norm(*norm_slices(cut, self.own()))


class SegmentedBatchNorm1d(SegmentedBatchNorm):
    """For vectors [N, C]."""

    plain = nn.BatchNorm1d


class SegmentedBatchNorm2d(SegmentedBatchNorm):
    """For feature maps [N, C, H, W]."""

    plain = nn.BatchNorm2d


def linear_slices(cut: SegmentedLinearCut, weight: Tensor, bias: Tensor | None) -> Views:
    weight = gathered(gathered(weight, cut.rows), cut.columns, 1)
    return weight, None if bias is None else gathered(bias, cut.rows)


def norm_slices(cut: SegmentedNormCut, own: Statistics) -> Statistics:
    weight, bias, mean, var = (gathered(tensor, cut.runs) for tensor in own)
    if cut.mean is None or cut.var is None:
        return weight, bias, mean, var
    return weight, bias, cut.mean.to(mean), cut.var.to(var)
