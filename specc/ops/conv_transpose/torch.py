"""A transposed convolution of which a sub-network may use the first channels of each run."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.runtime.layers.segments import Counts, Remembers, Runs, gathered, listed, runs
from specc.runtime.net.plan import Cut, weight_and_bias
from specc.runtime.net.sizes import Size, largest, total

Views: TypeAlias = tuple[Tensor, Tensor | None]
"""A weight and a bias."""
Window: TypeAlias = int | tuple[int, int]
"""One number for height and width, or a pair."""


class ConvTransposeCut(Cut):
    """The input channels `rows` and the output channels `channels`, which are the columns `columns` of each group."""

    __slots__ = fields = ("rows", "columns", "channels", "groups")

    rows: Runs
    columns: Runs
    channels: Runs
    groups: int


class ConvTranspose2d(Remembers, nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` at its largest size, called with the cut of a sub-network.

    Input [N, sum of in_, H, W], output [N, sum of out, H', W'], with the cut's channels. A grouped one keeps the size
    of its groups and uses fewer of them.
    """

    def __init__(
        self,
        in_: Size,
        out: Size,
        kernel: Window,
        stride: Window = 1,
        padding: Window = 0,
        output_padding: Window = 0,
        groups: Size = 1,
        bias: bool = True,
        dilation: Window = 1,
    ) -> None:
        super().__init__(
            largest(total(in_)),
            largest(total(out)),
            kernel,
            stride,
            padding,
            output_padding,
            largest(total(groups)),
            bias,
            dilation,
        )
        self.run_sizes, self.out_sizes = listed(largest(in_)), listed(largest(out))
        self.width = out  # choices have their names from this
        self.sizes = (in_, out)

    def cut(self, in_: Counts, out: Counts) -> ConvTransposeCut | None:
        """The cut for these counts, one a run; None where nothing is cut off."""
        whole = (listed(in_), listed(out)) == (self.run_sizes, self.out_sizes)
        return None if whole else self.part(in_, out)

    def part(self, in_: Counts, out: Counts) -> ConvTransposeCut:
        """The cut for these counts, one a run, also of all."""
        rows, channels = runs(listed(in_), self.run_sizes), runs(listed(out), self.out_sizes)
        if self.groups == 1:
            return ConvTransposeCut(rows, channels, channels, 1)
        columns = ((0, self.out_channels // self.groups),)
        groups = sum(listed(in_)) * self.groups // self.in_channels
        return ConvTransposeCut(rows, columns, channels, groups)

    def forward(self, x: Tensor, cut: ConvTransposeCut | None = None) -> Tensor:  # type: ignore[override]
        self.counts(False)
        weight, bias = weight_and_bias(self) if cut is None else self.weights(cut)
        groups = self.groups if cut is None else cut.groups
        return F.conv_transpose2d(
            x,
            weight,
            bias,
            self.stride,
            self.padding,  # type: ignore[arg-type]
            self.output_padding,
            groups,
            self.dilation,
        )

    def weights(self, cut: ConvTransposeCut) -> Views:
        """The weight [in, out / groups, kernel, kernel] and bias [out] that a cut uses."""
        weight, bias = weight_and_bias(self)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return slices(cut, weight, bias)
        views: Views = self.remembered(cut, (weight, bias), lambda w, b: slices(cut, w, b))
        return views

    @torch.no_grad()
    def extracted(self, cut: ConvTransposeCut | None) -> nn.ConvTranspose2d:
        """A plain `nn.ConvTranspose2d` with a copy of the weights that the cut uses."""
        own: Views = self.weight, self.bias
        weight, bias = own if cut is None else slices(cut, *own)
        groups = self.groups if cut is None else cut.groups
        plain = nn.ConvTranspose2d(
            weight.shape[0],
            weight.shape[1] * groups,
            self.kernel_size,  # type: ignore[arg-type]
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.output_padding,  # type: ignore[arg-type]
            groups,
            bias is not None,
            self.dilation,  # type: ignore[arg-type]
            device="meta",
        )
        plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)


def slices(cut: ConvTransposeCut, weight: Tensor, bias: Tensor | None) -> Views:
    weight = gathered(gathered(weight, cut.rows), cut.columns, 1)
    return weight, None if bias is None else gathered(bias, cut.channels)
