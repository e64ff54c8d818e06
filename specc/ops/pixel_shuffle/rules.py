"""Channels become pixels (Shi et al., 2016, "sub-pixel convolution"), and pixels channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from specc.diagnostics import Rule
from specc.ir.expr import apply
from specc.ir.graph import Segment
from specc.ir.operator import Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.runs import grouped_runs
from specc.ops.shapes import one, product, require_map

PIXELS_DIVIDE = Rule(
    "E418",
    "pixels-do-not-divide",
    "channels or pixels can't be rearranged in blocks of this size",
    "`pixel_shuffle(n)` makes a block of n x n pixels of each n * n channels, `space_to_depth(n)` does the reverse:\n"
    "the channels, or height and width, are multiples of these.\n"
    "Wrong:  conv(30, kernel=3); pixel_shuffle(2)\n"
    "Right:  conv(32, kernel=3); pixel_shuffle(2)",
)


@dataclass(frozen=True, slots=True)
class BlockParams:
    """`factor`: height and width of a block of pixels. `order` says what stands side by side in the channels: the
    pixels of one channel, or the channels of one pixel, with the pixels row by row or column by column."""

    factor: int
    order: Literal["pixels", "channels", "columns"] = "pixels"


class PixelShuffle(Operator):
    """`pixel_shuffle(2)`."""

    kind = "pixel_shuffle"
    example = "conv(64, kernel=3); pixel_shuffle(2)"
    folds = True
    signature = Signature(
        "pixel_shuffle",
        (Parameter("factor", "integer", doc="how many times as high and wide"),),
        "Enlarges a feature map: each factor * factor channels become one, in blocks of so many pixels.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a pixel shuffle")
        factor = cast(int, call.args["factor"])
        channels, block = call.maximum(tensor.features), factor**2
        space = tuple(product(size, factor) for size in tensor.space)
        if channels % block:
            message = f"{block} channels make a block of {factor} x {factor} pixels, and {channels} arrive"
            help = f"make a multiple of {block} channels: {-(-channels // block) * block}"
            call.report(PIXELS_DIVIDE, message, at="factor", help=help)
            return Built(BlockParams(factor), ((one(max(1, channels // block)), space),))
        if len(tensor.channels) > 1:
            return Built(BlockParams(factor), ((grouped_runs(call, tensor, block, 1), space),))
        return Built(BlockParams(factor), ((one(call.whole_groups(tensor.features, block)), space),))


class SpaceToDepth(Operator):
    """`space_to_depth(2)`."""

    kind = "space_to_depth"
    example = "space_to_depth(4); conv(64, kernel=3)"
    folds = True
    signature = Signature(
        "space_to_depth",
        (
            Parameter("factor", "integer", doc="how many times less high and wide"),
            Parameter(
                "order",
                Words(("pixels", "channels", "columns")),
                "pixels",
                "what stands side by side: the pixels of one channel, or the channels of one pixel, pixel after pixel "
                "row by row or, with `columns`, column by column",
            ),
        ),
        "Shrinks a feature map: each block of factor * factor pixels becomes so many channels.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "space to depth")
        factor = cast(int, call.args["factor"])
        order = cast(Literal["pixels", "channels", "columns"], call.args["order"])
        for side in dict.fromkeys(map(call.maximum, tensor.space)):
            if side % factor:
                message = f"blocks of {factor} pixels do not divide {side}"
                call.report(PIXELS_DIVIDE, message, at="factor", help=f"use a divisor of {side}")
                return Built(BlockParams(factor, order), ((tensor.channels, tensor.space),))
        space = tuple(apply("div", size, factor) for size in tensor.space)
        channels = tuple(Segment(product(segment.size, factor**2)) for segment in tensor.channels)
        if order != "pixels":
            channels = tensor.channels * factor**2
        return Built(BlockParams(factor, order), ((channels, space),))


OPERATORS = (PixelShuffle(), SpaceToDepth())
