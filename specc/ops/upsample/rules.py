"""Enlarging a feature map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr
from specc.ir.operator import Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words
from specc.ir.window import Window, sides
from specc.ops.shapes import product, require_map

FACTOR_OR_SIZE = Rule(
    "E419",
    "upsample-factor-or-size",
    "upsampling is given a factor and a size, or neither",
    "`upsample(2)` makes a map twice as high and wide, `upsample(size=56)` 56 x 56 of any. Corners are aligned only\n"
    "where pixels are interpolated.\n"
    "Wrong:  upsample(2, size=56)\n"
    "Right:  upsample(size=56)",
)
Mode: TypeAlias = Literal["nearest", "bilinear", "bicubic"]


@dataclass(frozen=True, slots=True)
class UpsampleParams:
    """`factor`: how many times as high and wide, or None where `size` says height and width; pixels repeated, or
    interpolated between their centres - between the outermost ones, where corners are aligned."""

    factor: Window | None
    mode: Mode
    size: Window | None = None
    align_corners: bool = False


class Upsample(Operator):
    """`upsample(2)`, `upsample(2, mode=bilinear)`, `upsample(size=[48, 64])`."""

    kind = "upsample"
    example = "upsample(2, mode=bilinear)"
    channelwise = True
    signature = Signature(
        "upsample",
        (
            Parameter("factor", "integer", None, "how many times as high and wide", pair=True),
            Parameter(
                "mode",
                Words(("nearest", "bilinear", "bicubic")),
                "nearest",
                "repeat pixels, or interpolate between them",
            ),
            Parameter("size", "integer", None, "height and width, in the factor's place", pair=True),
            Parameter("align_corners", "flag", False, "interpolate so that the corners keep their values"),
        ),
        "Enlarges a feature map.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "upsampling")
        factor, size = cast("Window | None", call.args["factor"]), cast("Window | None", call.args["size"])
        mode, aligned = cast(Mode, call.args["mode"]), cast(bool, call.args["align_corners"])
        if (factor is None) == (size is None):
            given = "neither a factor nor a size" if factor is None else "a factor and a size"
            call.report(FACTOR_OR_SIZE, f"{given} is given", help="write `upsample(2)`, or `upsample(size=56)`")
        if aligned and mode == "nearest":
            message = "pixels that are repeated have no corners to align"
            call.report(FACTOR_OR_SIZE, message, at="align_corners", help="write `mode=bilinear`, or leave it out")
        if size is not None:
            space: tuple[Expr, ...] = sides(size)
        else:
            space = tuple(product(side, times) for side, times in zip(tensor.space, sides(factor or 1), strict=False))
        return Built(UpsampleParams(factor, mode, size, aligned), ((tensor.channels, space),))


OPERATORS = (Upsample(),)
