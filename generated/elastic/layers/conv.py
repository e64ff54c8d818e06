"""A convolution of which a sub-network may use the first channels, a smaller kernel, or both."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.net.plan import Cut, weight_and_bias
from elastic.net.sizes import Size, is_plain, largest, total

Views: TypeAlias = tuple[Tensor, Tensor | None]
"""A weight and a bias."""
Pair: TypeAlias = tuple[int, int]
"""Height and width."""
Window: TypeAlias = int | Pair
"""One number for height and width, or a pair."""


class ConvCut(Cut):
    """The first `out` output channels and, of each group, the first `in_` input channels; the central taps, `kernel`
    in height and width."""

    __slots__ = fields = ("in_", "out", "kernel", "groups", "padding")

    in_: int
    out: int
    kernel: Pair
    groups: int
    padding: Pair


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` at its largest size, called with the cut of a sub-network.

    Input [N, in, H, W] with the cut's channels; output [N, out, H', W']. A grouped convolution keeps the
    size of its groups and uses fewer of them. A smaller kernel is the centre of the largest. `kernel` and `padding`
    may be pairs of height and width, either of them elastic.
    """

    kernel_size: Pair
    padding: Pair

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
        super().__init__(
            largest(total(in_)),
            largest(total(out)),
            largest(kernel),
            stride,
            largest(padding),
            dilation,
            largest(total(groups)),
            bias,
        )
        self.width, self.kernel = out, kernel  # choices have their names from these
        window = () if is_plain(kernel) and is_plain(padding) else (kernel, padding)
        self.sizes = (in_, out, *window)

    def cut(
        self, in_: int, out: int, kernel: Window | None = None, padding: Window | None = None
    ) -> ConvCut | None:
        """The cut for these channel counts and kernel; None where nothing is cut off.

        Without `padding` the border is as much narrower as a smaller kernel reaches, so that the map keeps its size.
        """
        whole = self.kernel_size
        taps = whole if kernel is None else pair(kernel)
        if (in_, out, taps) == (self.in_channels, self.out_channels, whole):
            return None
        return self.part(in_, out, taps, padding)

    def part(
        self, in_: int, out: int, kernel: Window | None = None, padding: Window | None = None
    ) -> ConvCut:
        """The cut for these channel counts and kernel, also of all."""
        kernel = self.kernel_size if kernel is None else pair(kernel)
        groups = self.groups if self.groups == 1 else in_ * self.groups // self.in_channels
        return ConvCut(in_ // groups, out, kernel, groups, border(self, kernel, padding))

    def forward(self, x: Tensor, cut: ConvCut | None = None) -> Tensor:
        if cut is None:
            y: Tensor = self._conv_forward(x, self.weight, self.bias)
            return y
        weight, bias = self.weights(cut)
        return F.conv2d(x, weight, bias, self.stride, cut.padding, self.dilation, cut.groups)

    def weights(self, cut: ConvCut) -> Views:
        """The weight [out, in / groups, kernel, kernel] and bias [out] that a cut uses: views of the parameters."""
        weight, bias = weight_and_bias(self)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return self.slices(cut, weight, bias)
        views: Views
        addresses, views = cut._memory
        here = (weight.data_ptr(),) if bias is None else (weight.data_ptr(), bias.data_ptr())
        if addresses != here:
            views = self.slices(cut, weight.detach(), None if bias is None else bias.detach())
            cut.remember(here, views)
        return views

    def slices(self, cut: ConvCut, weight: Tensor, bias: Tensor | None) -> Views:
        if cut.out != self.out_channels:
            weight = weight[: cut.out]
            bias = None if bias is None else bias[: cut.out]
        if cut.in_ != weight.shape[1]:
            weight = weight[:, : cut.in_]
        return central(weight, cut.kernel), bias

    @torch.no_grad()
    def extracted(self, cut: ConvCut | None) -> nn.Conv2d:
        """A plain `nn.Conv2d` with a copy of the weights that the cut uses."""
        if cut is None:
            weight, bias, padding, groups = self.weight, self.bias, self.padding, self.groups
        else:
            weight, bias = self.slices(cut, self.weight, self.bias)
            padding, groups = cut.padding, cut.groups
        plain = nn.Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            pair(weight.shape[2:]),
            pair(self.stride),
            padding,
            pair(self.dilation),
            groups,
            bias is not None,
            device="meta",  # no memory and no random numbers for weights that come next
        )
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


def pair(window: int | tuple[int, ...]) -> Pair:
    """Height and width of a window."""
    if isinstance(window, int):
        return window, window
    height, width = window
    return height, width


def central(weight: Tensor, kernel: Pair) -> Tensor:
    """The taps in the middle of a weight [.., height, width], as many as `kernel` has: a view."""
    height, width = weight.shape[-2:]
    if (height, width) == kernel:
        return weight
    top, left = (height - kernel[0]) // 2, (width - kernel[1]) // 2
    return weight[..., top : top + kernel[0], left : left + kernel[1]]


def border(conv: Conv2d, kernel: Pair, padding: Window | None) -> Pair:
    """The zeros around the map for a smaller kernel: as many fewer as it reaches less far, where it is not said."""
    if padding is not None:
        return pair(padding)
    if kernel == conv.kernel_size:
        return conv.padding
    less = [
        apart * (whole - taps) // 2
        for apart, whole, taps in zip(conv.dilation, conv.kernel_size, kernel, strict=True)
    ]
    return conv.padding[0] - less[0], conv.padding[1] - less[1]
