"""A convolution of which a sub-network may use the first channels, a smaller kernel, or both."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.net.plan import Cut, weight_and_bias
from elastic.net.sizes import Expr, Size, largest, total

Views: TypeAlias = tuple[Tensor, Tensor | None]
"""A weight and a bias."""


class ConvCut(Cut):
    """The first `out` output channels and, of each group, the first `in_` input channels; the central `kernel` taps."""

    __slots__ = fields = ("in_", "out", "kernel", "groups", "padding")

    in_: int
    out: int
    kernel: int
    groups: int
    padding: tuple[int, ...] | str


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` at its largest size, called with the cut of a sub-network.

    Input [N, in, H, W] with the cut's channels; output [N, out, H', W']. A grouped convolution keeps the
    size of its groups and uses fewer of them. A smaller kernel is the centre of the largest.
    """

    def __init__(
        self,
        in_: Size,
        out: Size,
        kernel: Size,
        stride: int = 1,
        padding: Size = 0,
        dilation: int = 1,
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
        window = (kernel, padding) if isinstance(kernel, Expr) or isinstance(padding, Expr) else ()
        self.sizes = (in_, out, *window)

    def cut(
        self, in_: int, out: int, kernel: int | None = None, padding: int | None = None
    ) -> ConvCut | None:
        """The cut for these channel counts and kernel; None where nothing is cut off.

        Without `padding` the border is as much narrower as a smaller kernel reaches, so that the map keeps its size.
        """
        whole = self.kernel_size[0]
        if (in_, out, kernel or whole) == (self.in_channels, self.out_channels, whole):
            return None
        return self.part(in_, out, kernel, padding)

    def part(
        self, in_: int, out: int, kernel: int | None = None, padding: int | None = None
    ) -> ConvCut:
        """The cut for these channel counts and kernel, also of all."""
        kernel = kernel or self.kernel_size[0]
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
        if cut.kernel != self.kernel_size[0]:
            start = (self.kernel_size[0] - cut.kernel) // 2
            weight = weight[:, :, start : start + cut.kernel, start : start + cut.kernel]
        return weight, bias

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
            padding if isinstance(padding, str) else pair(padding),
            pair(self.dilation),
            groups,
            bias is not None,
            device="meta",  # no memory and no random numbers for weights that come next
        )
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


def pair(values: tuple[int, ...]) -> tuple[int, int]:
    first, second = values
    return first, second


def border(conv: nn.Conv2d, kernel: int, padding: int | None) -> tuple[int, ...] | str:
    """The zeros around the map for a smaller kernel: as many fewer as it reaches less far, where it is not said."""
    if padding is not None:
        return padding, padding
    if kernel == conv.kernel_size[0]:
        return conv.padding
    assert not isinstance(conv.padding, str)
    less = conv.dilation[0] * (conv.kernel_size[0] - kernel) // 2
    return tuple(size - less for size in conv.padding)
