"""A learned factor for each channel, at first small (Touvron et al., 2021, "Going deeper with image transformers")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature


@dataclass(frozen=True, slots=True)
class LayerScaleParams:
    """`channels` are active, `full_channels` those of the largest sub-network, both 1 where one factor is for all; each
    begins as `start`."""

    channels: Expr
    start: Number
    full_channels: int


class LayerScale(Operator):
    """`layer_scale(start=1e-6)`, at the end of a residual's body."""

    kind = "layer_scale"
    example = "residual { conv(16, kernel=3); layer_scale }"
    branched = Branched(first=("before its first convolution every branch reads the same tensor", "put it after one"))
    drawn = Drawn(word="scale")
    channelwise = True
    row_per_channel = True
    folds = True
    silent = True
    signature = Signature(
        "layer_scale",
        (
            Parameter("start", "number", Fraction(1, 1_000_000), "what the factors are at first"),
            Parameter("channels", "flag", True, "whether every channel has a factor of its own"),
        ),
        "Multiplies every channel by a learned factor, or all by one.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        start = cast(Number, call.args["start"])
        params = LayerScaleParams(1, start, 1)
        if call.args["channels"]:
            params = LayerScaleParams(tensor.features, start, call.maximum(tensor.features))
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(LayerScaleParams, op.params)
        return (Weight("weight", (p.full_channels,), (p.channels,)),)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


OPERATORS = (LayerScale(),)
