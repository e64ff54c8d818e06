"""A feature map at the height and width of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from specc.diagnostics import Rule
from specc.ir.operator import Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words

NEEDS_SIZE = Rule(
    "E445",
    "needs-size",
    "`match_size` has no map whose size it takes",
    "`match_size(x, other)` brings the map x to the height and width of another map, however large that is in a\n"
    "sub-network. To a size that is written down a map comes with `upsample(size=56)`.\n"
    "Wrong: match_size(here)\n"
    "Right: match_size(here, stem, mode=bilinear)",
)


@dataclass(frozen=True, slots=True)
class MatchSizeParams:
    """Pixels repeated, or interpolated between their centres."""

    mode: Literal["nearest", "bilinear", "bicubic"]


class MatchSize(Operator):
    """`match_size(x, other)`: x at the height and width of another map, of which nothing else is read."""

    kind = "match_size"
    example = "match_size(here, stem, mode=bilinear)"
    passes_runs = True
    signature = Signature(
        "match_size",
        (
            Parameter("inputs", "tensors", doc="a map, and the map whose height and width it gets"),
            Parameter(
                "mode",
                Words(("nearest", "bilinear", "bicubic")),
                "nearest",
                "repeat pixels, or interpolate between them",
            ),
        ),
        "Brings a feature map to the height and width of another.",
    )

    def build(self, call: OpCall) -> Built:
        params = MatchSizeParams(cast(Literal["nearest", "bilinear", "bicubic"], call.args["mode"]))
        tensor, *others = call.inputs
        if len(others) != 1:
            message = f"`match_size` takes a map and the one whose size it gets, and {len(call.inputs) or 'none'} given"
            call.report(NEEDS_SIZE, message, help="the incoming tensor is `here`: `match_size(here, stem)`")
            return Built(params, ((tensor.channels, tensor.space),))
        if len(tensor.space) != 2 or len(others[0].space) != 2:
            call.report(NEEDS_SIZE, "both must be maps, which have a height and a width")
            return Built(params, ((tensor.channels, tensor.space),))
        return Built(params, ((tensor.channels, others[0].space),))


OPERATORS = (MatchSize(),)
