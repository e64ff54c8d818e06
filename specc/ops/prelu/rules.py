"""The rectifier whose slope below 0 is learned (He et al., 2015, "Delving deep into rectifiers")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature


@dataclass(frozen=True, slots=True)
class PReluParams:
    """`slopes` are active, `full_slopes` those of the largest sub-network: 1, or one a channel."""

    slopes: Expr
    start: Number
    full_slopes: int


class PRelu(Operator):
    """`prelu`, `prelu(channels=yes)`."""

    kind = "prelu"
    branched = Branched(first=("before its first convolution every branch reads the same tensor", "put it after one"))
    drawn = Drawn(word="prelu")
    channelwise = True
    row_per_channel = True
    folds = True
    silent = True
    signature = Signature(
        "prelu",
        (
            Parameter("channels", "flag", False, "whether every channel has a slope of its own"),
            Parameter("start", "number", Fraction(1, 4), "what the slopes are at first"),
        ),
        "x above 0, slope * x below, of a learned slope.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        start = cast(Number, call.args["start"])
        params = PReluParams(1, start, 1)
        if call.args["channels"]:
            params = PReluParams(tensor.features, start, call.maximum(tensor.features))
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(PReluParams, op.params)
        return (Weight("weight", (p.full_slopes,), (p.slopes,)),)


OPERATORS = (PRelu(),)
