"""Triangular convolutions and linear layers: by channels for networks of any width, in blocks for networks of slices.

Weights that a connection leaves out are stored, as zeros: at the start, in every checkpoint, and after every step, for
their gradients are zero and so all that an optimizer makes of them. A checkpoint that holds anything else there is
corrected when it is loaded.

Extracted, these layers are plain dense ones with these zeros in them: one dense convolution takes three quarters of the
time of six thin ones (IS-ResNeXt-47 on one core), and a norm folds into it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic.layers.conv import Conv2d, ConvCut, Window
from elastic.layers.linear import Linear, LinearCut
from elastic.net.sizes import Size, largest, narrowest, total
from elastic.space.functions import seen

Views: TypeAlias = tuple[Tensor, Tensor | None]


class TriangularConvCut(ConvCut):
    """The first channels of a triangular convolution."""

    __slots__ = ()


class BlockConvCut(ConvCut):
    """The first blocks of a block-triangular convolution."""

    __slots__ = ()


class TriangularLinearCut(LinearCut):
    """The first features of a triangular layer."""

    __slots__ = ()


class BlockLinearCut(LinearCut):
    """The first blocks of a layer of blocks."""

    __slots__ = ()


class DiagonalLinearCut(LinearCut):
    """The first blocks of a layer of blocks on the diagonal."""

    __slots__ = ()


class Masked(nn.Module):
    """A layer whose weight [out, in, ..] is zero where `mask` [out, in] is false."""

    weight: Tensor
    mask: Tensor

    def set_mask(self, mask: Tensor) -> None:
        """Keeps the mask beside the weight, in no checkpoint, and clears what it hides."""
        shape = (*mask.shape, *[1] * (self.weight.dim() - 2))
        self.register_buffer("mask", mask.view(shape).to(self.weight.device), persistent=False)
        self.keep_zeros()

    @torch.no_grad()
    def keep_zeros(self) -> None:
        """Clears the weights that the mask hides, whatever was written there."""
        if not self.weight.is_meta:
            self.weight.masked_fill_(~self.mask, 0.0)

    def train(self, mode: bool = True) -> Any:
        self.keep_zeros()
        return super().train(mode)

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self.keep_zeros()


def triangle(
    inputs: int, outputs: int, most_in: int, most_out: int, least: tuple[int, int]
) -> Tensor:
    """True where output channel o [outputs] sees input channel i [inputs] of a layer of `most_out` and `most_in`."""
    rows = torch.tensor([seen(o, most_in, most_out, *least) for o in range(outputs)])
    return torch.arange(inputs) < rows.unsqueeze(1)


def blocks_below(inputs: int, outputs: int, blocks: int) -> Tensor:
    """True where output block o of `blocks` sees input block i: i <= o."""
    column = torch.arange(inputs) * blocks // inputs
    row = torch.arange(outputs) * blocks // outputs
    return column <= row.unsqueeze(1)


class TriangularConv2d(Masked, Conv2d):
    """A convolution of any width: each output channel sees the inputs that are active wherever it is itself.

    So a channel is the same function at every width, and one norm fits all. `least_in` and `least_out` are the widths
    of the narrowest sub-network, where that is not the smallest one; `most_in` and `most_out` those of the largest,
    where this layer is a part of one.
    """

    def __init__(
        self,
        in_: Size,
        out: Size,
        kernel: Size,
        *,
        least_in: int = 0,
        least_out: int = 0,
        most_in: int = 0,
        most_out: int = 0,
        **more: Any,
    ) -> None:
        super().__init__(in_, out, kernel, **more)
        most = most_in or self.in_channels, most_out or self.out_channels
        least = least_in or narrowest(total(in_)), least_out or narrowest(total(out))
        self.set_mask(triangle(self.in_channels, self.out_channels, *most, least))

    def part(
        self, in_: int, out: int, kernel: Window | None = None, padding: Window | None = None
    ) -> TriangularConvCut:
        return TriangularConvCut(*super().part(in_, out, kernel, padding).values())

    def forward(self, x: Tensor, cut: ConvCut | None = None) -> Tensor:
        if cut is None:
            y: Tensor = self._conv_forward(x, self.weight * self.mask, self.bias)
            return y
        return super().forward(x, cut)

    def slices(self, cut: ConvCut, weight: Tensor, bias: Tensor | None) -> Views:
        # With gradients the mask is a factor, so that none reach what it hides; else the zeros stand there already.
        return super().slices(cut, weight * self.mask if torch.is_grad_enabled() else weight, bias)


class BlockConv2d(Masked, Conv2d):
    """A convolution of slices: output block i of `blocks` sees the input blocks up to i.

    Computed one block of outputs after another, so that nothing of a later input reaches an earlier output, not even
    by a product with zero.
    """

    def __init__(self, in_: Size, out: Size, kernel: Size, *, blocks: int, **more: Any) -> None:
        super().__init__(in_, out, kernel, **more)
        self.blocks = blocks
        self.set_mask(blocks_below(self.in_channels, self.out_channels, blocks))

    def part(
        self, in_: int, out: int, kernel: Window | None = None, padding: Window | None = None
    ) -> BlockConvCut:
        return BlockConvCut(*super().part(in_, out, kernel, padding).values())

    def forward(self, x: Tensor, cut: ConvCut | None = None) -> Tensor:
        weight, bias = (self.weight, self.bias) if cut is None else self.weights(cut)
        padding: Any = self.padding if cut is None else cut.padding
        step_in, step_out = self.in_channels // self.blocks, self.out_channels // self.blocks
        rows = []
        for i in range(weight.shape[0] // step_out):
            first, last, seen_in = i * step_out, (i + 1) * step_out, (i + 1) * step_in
            own = None if bias is None else bias[first:last]
            rows.append(
                F.conv2d(
                    x[:, :seen_in],
                    weight[first:last, :seen_in],
                    own,
                    self.stride,
                    padding,
                    self.dilation,
                )
            )
        return torch.cat(rows, 1)


class TriangularLinear(Masked, Linear):
    """A linear layer of any width: each output feature sees the inputs that are active wherever it is itself."""

    def __init__(
        self,
        in_: Size,
        out: Size,
        *,
        least_in: int = 0,
        least_out: int = 0,
        most_in: int = 0,
        most_out: int = 0,
        **more: Any,
    ) -> None:
        super().__init__(in_, out, **more)
        most = most_in or self.in_features, most_out or self.out_features
        least = least_in or narrowest(total(in_)), least_out or narrowest(total(out))
        self.set_mask(triangle(self.in_features, self.out_features, *most, least))

    def part(self, in_: int, out: int) -> TriangularLinearCut:
        return TriangularLinearCut(in_, out)

    def weights(self, cut: LinearCut | None) -> Views:
        weight, bias = (self.weight, self.bias) if cut is None else super().weights(cut)
        if torch.is_grad_enabled():
            weight = weight * self.mask[: weight.shape[0], : weight.shape[1]]
        return weight, bias

    def forward(self, x: Tensor, cut: LinearCut | None = None) -> Tensor:
        return F.linear(x, *self.weights(cut))


class BlockLinear(Masked, Linear):
    """A linear layer of slices: output block i of `blocks` sees the input blocks up to i, one after another."""

    def __init__(self, in_: Size, out: Size, *, blocks: int, **more: Any) -> None:
        super().__init__(in_, out, **more)
        self.blocks = blocks
        self.set_mask(blocks_below(self.in_features, self.out_features, blocks))

    def part(self, in_: int, out: int) -> BlockLinearCut:
        return BlockLinearCut(in_, out)

    def forward(self, x: Tensor, cut: LinearCut | None = None) -> Tensor:
        weight, bias = (self.weight, self.bias) if cut is None else self.weights(cut)
        step_in, step_out = self.in_features // self.blocks, self.out_features // self.blocks
        rows = []
        for i in range(weight.shape[0] // step_out):
            first, last, seen_in = i * step_out, (i + 1) * step_out, (i + 1) * step_in
            own = None if bias is None else bias[first:last]
            rows.append(F.linear(x[..., :seen_in], weight[first:last, :seen_in], own))
        return torch.cat(rows, -1)


class DiagonalLinear(nn.Linear):
    """A linear layer in which output block i of `blocks` sees input block i alone; weight [out, in / blocks]."""

    def __init__(self, in_: Size, out: Size, bias: bool = True, *, blocks: int) -> None:
        super().__init__(largest(total(in_)) // blocks, largest(total(out)), bias)
        self.blocks = blocks
        self.sizes = (in_, out)

    def cut(self, in_: int, out: int) -> DiagonalLinearCut | None:
        """The cut for these feature counts; None where nothing is cut off."""
        return None if out == self.out_features else self.part(in_, out)

    def part(self, in_: int, out: int) -> DiagonalLinearCut:
        """The cut for these feature counts, also of all."""
        return DiagonalLinearCut(in_, out)

    def forward(self, x: Tensor, cut: LinearCut | None = None) -> Tensor:
        weight, bias = self.active(cut)
        per_block = torch.unflatten(weight, 0, (-1, self.out_features // self.blocks))
        y = torch.einsum(
            "...ki,koi->...ko", torch.unflatten(x, -1, (-1, self.in_features)), per_block
        )
        flat = y.flatten(-2)
        return flat if bias is None else flat + bias

    def added(self, new: Tensor, have: int) -> Tensor:
        """The output blocks from feature `have` on, of the new input blocks alone."""
        count = new.shape[-1] // self.in_features
        last = have + count * self.out_features // self.blocks
        rows = torch.unflatten(self.weight[have:last], 0, (count, -1))
        y = torch.einsum("...ki,koi->...ko", torch.unflatten(new, -1, (count, -1)), rows).flatten(
            -2
        )
        return y if self.bias is None else y + self.bias[have:last]

    def active(self, cut: LinearCut | None) -> Views:
        """The weight and bias of the blocks that a cut keeps."""
        if cut is None:
            return self.weight, self.bias
        return self.weight[: cut.out], None if self.bias is None else self.bias[: cut.out]

    @torch.no_grad()
    def extracted(self, cut: LinearCut | None) -> nn.Linear:
        """A plain `nn.Linear`, its weight zero outside the blocks."""
        weight, bias = self.active(cut)
        rows = torch.split(weight, self.out_features // self.blocks)
        dense: Tensor = torch.block_diag(*rows)  # type: ignore[no-untyped-call]
        plain = nn.Linear(dense.shape[1], dense.shape[0], bias is not None, device="meta")
        plain.weight = nn.Parameter(dense)
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain.train(self.training)
