"""Enlarging a feature map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from specc.ir.operator import Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.shapes import product, require_map


@dataclass(frozen=True, slots=True)
class UpsampleParams:
    """`factor`: how many times as high and wide; pixels repeated, or interpolated between their centres."""

    factor: int
    mode: Literal["nearest", "bilinear"]


class Upsample(Operator):
    """`upsample(2)`, `upsample(2, mode=bilinear)`."""

    kind = "upsample"
    example = "upsample(2, mode=bilinear)"
    channelwise = True
    signature = Signature(
        "upsample",
        (
            Parameter("factor", "integer", doc="how many times as high and wide"),
            Parameter("mode", Words(("nearest", "bilinear")), "nearest", "repeat pixels, or interpolate between them"),
        ),
        "Enlarges a feature map.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "upsampling")
        factor = cast(int, call.args["factor"])
        mode = cast(Literal["nearest", "bilinear"], call.args["mode"])
        space = tuple(product(size, factor) for size in tensor.space)
        return Built(UpsampleParams(factor, mode), ((tensor.channels, space),))


OPERATORS = (Upsample(),)
