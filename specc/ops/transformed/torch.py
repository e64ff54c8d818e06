"""A convolution whose smaller kernels are learned transforms of larger ones (Cai et al., "Once-for-All", 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.conv.torch import ConvCut, ElasticConv2d, Views
from specc.runtime.net.plan import weight_and_bias


class TransformedConvCut(ConvCut):
    """A cut whose smaller kernel is a transform of the central taps."""

    __slots__ = ()


class TransformedConv2d(ElasticConv2d):
    """`ElasticConv2d` with a matrix for every smaller kernel, shared by all channels and the identity at first.

    With kernels of 7, 5 and 3 taps, the one of 5 is the centre of that of 7, flattened and multiplied by
    `transform5` [25, 25], and the one of 3 the centre of that of 5, multiplied by `transform3` [9, 9].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        transforms: Sequence[int] = (),
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.sizes = tuple(sorted(transforms, reverse=True))
        for size in self.sizes:
            self.register_parameter(f"transform{size}", nn.Parameter(torch.eye(size * size)))

    def cut(
        self, in_: int, out: int, kernel: int | None = None, padding: int | None = None
    ) -> TransformedConvCut | None:
        """The cut for these channel counts and kernel; None where nothing is cut off."""
        cut = super().cut(in_, out, kernel, padding)
        return None if cut is None else TransformedConvCut(*cut.values())

    def weights(self, cut: ConvCut) -> Views:
        """As `ElasticConv2d.weights`; a transformed kernel is no view of the parameters, and made anew each time."""
        if cut.kernel == self.kernel_size[0]:
            return super().weights(cut)
        weight, bias = weight_and_bias(self)
        return self.slices(cut, weight, bias)

    def slices(self, cut: ConvCut, weight: Tensor, bias: Tensor | None) -> Views:
        whole = ConvCut(cut.in_, cut.out, self.kernel_size[0], cut.groups, cut.padding)
        weight, bias = super().slices(whole, weight, bias)
        for size in self.sizes:
            if size < cut.kernel:
                break
            start = (weight.shape[-1] - size) // 2
            centre = weight[:, :, start : start + size, start : start + size]
            taps = F.linear(centre.flatten(2), self._parameters[f"transform{size}"])  # type: ignore[arg-type]
            weight = taps.view(*centre.shape)
        return weight, bias
