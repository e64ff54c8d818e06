"""A border around a map, of a width of its own on each side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import apply
from specc.ir.operator import Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.shapes import require_map

PAD_TOO_WIDE = Rule(
    "E423",
    "pad-too-wide",
    "a border mirrors or repeats more pixels than there are",
    "`reflect` takes its pixels from inside the map, beside the outermost ones, and `circular` from the other side:\n"
    "no border is wider than the map.\n"
    "Wrong:  input image(3, 4, 4) ... pad(top=4, mode=reflect)\n"
    "Right:  input image(3, 4, 4) ... pad(top=3, mode=reflect)",
)


Mode: TypeAlias = Literal["zeros", "reflect", "replicate", "circular", "lowest"]


@dataclass(frozen=True, slots=True)
class PadParams:
    """How many rows and columns stand on each side, and what they hold."""

    top: int
    bottom: int
    left: int
    right: int
    mode: Mode


SIDES = ("top", "bottom", "left", "right")


class Pad(Operator):
    """`pad(bottom=1, right=1)`."""

    kind = "pad"
    example = "pad(bottom=1, right=1); conv(32, kernel=3, stride=2, padding=0)"
    channelwise = True
    folds = True
    signature = Signature(
        "pad",
        (
            *(Parameter(side, "count", 0, f"rows or columns at the {side}") for side in SIDES),
            Parameter(
                "mode",
                Words(("zeros", "reflect", "replicate", "circular", "lowest")),
                "zeros",
                "zeros; pixels mirrored at the edge, the outermost ones again, or those of the other side; the lowest"
                " number, which no maximum takes",
            ),
        ),
        "Puts a border around a feature map, as wide on each side as is said.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a border")
        top, bottom, left, right = (cast(int, call.args[side]) for side in SIDES)
        mode = cast(Mode, call.args["mode"])
        if mode in ("reflect", "circular"):
            for side, size in zip(SIDES, (0, 0, 1, 1), strict=True):
                most = call.maximum(tensor.space[size]) - (mode == "reflect") if len(tensor.space) == 2 else 0
                if cast(int, call.args[side]) > most:
                    message = f"a border of {call.args[side]} at the {side} reaches over the map, of {most} such pixels"
                    call.report(PAD_TOO_WIDE, message, at=side, help=f"use {most} at most, or `mode=replicate`")
        space = tensor.space
        if len(space) == 2:
            space = apply("add", space[0], top + bottom), apply("add", space[1], left + right)
        return Built(PadParams(top, bottom, left, right, mode), ((tensor.channels, space),))


OPERATORS = (Pad(),)
