"""A convolution whose filters are standardised, whole or of a sub-network's width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.layers.conv import ConvCut, Views, Window
from elastic.layers.segmented import SegmentedConv2d, SegmentedConvCut
from elastic.layers.segments import Counts, gathered
from elastic.net.sizes import Size


class StandardizedConv2d(nn.Conv2d):
    """`nn.Conv2d` with filters of mean 0 and variance 1, to which `weight_eps` is added.

    With a `gain` each is multiplied by a learned number and by gamma / sqrt(n), of n weights in a filter.
    """

    gain: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        gain: bool = False,
        gamma: float = 1.0,
        weight_eps: float = 1e-6,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.gamma, self.weight_eps = gamma, weight_eps
        self.gain = nn.Parameter(torch.ones(out_channels)) if gain else None

    def forward(self, x: Tensor) -> Tensor:
        weight = standardized(self.weight, self.gain, self.gamma, self.weight_eps)
        y: Tensor = self._conv_forward(x, weight, self.bias)
        return y

    @torch.no_grad()
    def with_plain_weight(self) -> nn.Conv2d:
        """The convolution that this one is in inference: its filters as they were standardised last."""
        plain = nn.Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size,  # type: ignore[arg-type]
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.dilation,  # type: ignore[arg-type]
            self.groups,
            self.bias is not None,
            device="meta",
        )
        weight = standardized(self.weight, self.gain, self.gamma, self.weight_eps)
        plain.weight = nn.Parameter(weight.contiguous())
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach().clone())
        return plain.train(self.training)


def standardized(weight: Tensor, gain: Tensor | None, gamma: float, eps: float) -> Tensor:
    """Filters [out, ..] of mean 0 and variance 1; with a gain [out] times this and gamma / sqrt(n)."""
    rows = weight.flatten(1)
    var, mean = torch.var_mean(rows, 1, correction=0, keepdim=True)
    factor = torch.rsqrt(var + eps)
    if gain is not None:
        factor = factor * gain[:, None] * (gamma * rows.shape[1] ** -0.5)
    return ((rows - mean) * factor).view_as(weight)


class ElasticStandardizedConv2d(SegmentedConv2d):
    """`StandardizedConv2d` at its largest size, called with the cut of a sub-network.

    The weights in use are standardised: those of the first channels, in and out or of each run of them, and of the
    central taps. So a narrow sub-network computes what a convolution of its own size would.
    """

    gain: nn.Parameter | None

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
        gain: bool = False,
        gamma: float = 1.0,
        weight_eps: float = 1e-6,
    ) -> None:
        super().__init__(in_, out, kernel, stride, padding, dilation, groups, bias)
        self.gamma, self.weight_eps = gamma, weight_eps
        self.gain = nn.Parameter(torch.ones(self.out_channels)) if gain else None

    def cut(
        self,
        in_: Counts,
        out: Counts,
        kernel: Window | None = None,
        padding: Window | None = None,
    ) -> SegmentedConvCut:
        """The cut for these counts, one a run; never None, as the weights are made of the cut's."""
        return self.part(in_, out, kernel, padding)

    def forward(self, x: Tensor, cut: ConvCut | None = None) -> Tensor:
        if cut is not None:
            return super().forward(x, cut)
        weight = standardized(self.weight, self.gain, self.gamma, self.weight_eps)
        y: Tensor = self._conv_forward(x, weight, self.bias)
        return y

    def weights(self, cut: ConvCut) -> Views:
        """The standardised weight [out, in / groups, kernel, kernel] and the bias [out] that a cut uses."""
        weight, bias = super().weights(cut)
        return standardized(weight, self.gain_of(cut), self.gamma, self.weight_eps), bias

    def gain_of(self, cut: ConvCut) -> Tensor | None:
        assert isinstance(cut, SegmentedConvCut)
        return None if self.gain is None else gathered(self.gain, cut.rows)

    @torch.no_grad()
    def extracted(self, cut: ConvCut | None) -> StandardizedConv2d:
        """A plain `StandardizedConv2d` with a copy of the weights that the cut uses."""
        own = super().extracted(cut)
        plain = StandardizedConv2d(
            own.in_channels,
            own.out_channels,
            own.kernel_size,  # type: ignore[arg-type]
            own.stride,  # type: ignore[arg-type]
            own.padding,  # type: ignore[arg-type]
            own.dilation,  # type: ignore[arg-type]
            own.groups,
            own.bias is not None,
            self.gain is not None,
            self.gamma,
            self.weight_eps,
        )
        plain.weight, plain.bias = own.weight, own.bias
        if self.gain is not None:
            gain = self.gain if cut is None else self.gain_of(cut)
            assert gain is not None
            plain.gain = nn.Parameter(gain.detach().clone())
        return plain.train(self.training)
