"""A convolution whose smaller kernels are learned transforms of larger ones (Cai et al., "Once-for-All", 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.conv.torch import Conv2d, ConvCut, Views, Window, central
from specc.runtime.net.plan import weight_and_bias
from specc.runtime.net.sizes import OneOf, Size


class TransformedConvCut(ConvCut):
    """A cut whose smaller kernel is a transform of the central taps."""

    __slots__ = ()


class TransformedConv2d(Conv2d):
    """`Conv2d` with a matrix for every smaller kernel, shared by all channels and the identity at first.

    With kernels of 7, 5 and 3 taps, the one of 5 is the centre of that of 7, flattened and multiplied by
    `transform5` [25, 25], and the one of 3 the centre of that of 5, multiplied by `transform3` [9, 9].
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
        transforms: Sequence[int] | None = None,
    ) -> None:
        """`transforms` are the sizes of the smaller kernels; those of `kernel` where it is a choice."""
        super().__init__(in_, out, kernel, stride, padding, dilation, groups, bias)
        if transforms is None:
            options = kernel.options if isinstance(kernel, OneOf) else ()
            transforms = [size for size in options if size != self.kernel_size[0]]  # type: ignore[misc]
        self.transforms = tuple(sorted(transforms, reverse=True))
        for size in self.transforms:
            self.register_parameter(f"transform{size}", nn.Parameter(torch.eye(size * size)))

    def part(
        self, in_: int, out: int, kernel: Window | None = None, padding: Window | None = None
    ) -> TransformedConvCut:
        return TransformedConvCut(*super().part(in_, out, kernel, padding).values())

    def weights(self, cut: ConvCut) -> Views:
        """As `Conv2d.weights`; a transformed kernel is no view of the parameters, and made anew each time."""
        if cut.kernel == self.kernel_size:
            return super().weights(cut)
        weight, bias = weight_and_bias(self)
        return self.slices(cut, weight, bias)

    def slices(self, cut: ConvCut, weight: Tensor, bias: Tensor | None) -> Views:
        whole = ConvCut(cut.in_, cut.out, self.kernel_size, cut.groups, cut.padding)
        weight, bias = super().slices(whole, weight, bias)
        for size in self.transforms:
            if size < cut.kernel[0]:
                break
            centre = central(weight, (size, size))
            taps = F.linear(centre.flatten(2), self._parameters[f"transform{size}"])  # type: ignore[arg-type]
            weight = taps.view(*centre.shape)
        return weight, bias
