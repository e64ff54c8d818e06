"""RMS normalisation over the channels of every token, vector or pixel (Zhang and Sennrich, 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import product


@dataclass(frozen=True, slots=True)
class RmsNormParams:
    """`channels` are active, `full_channels` those of the largest sub-network."""

    channels: Expr
    eps: Number
    full_channels: int
    affine: bool = True


class RmsNorm(Operator):
    """`norm`, under the setting `norm rms(..)`. On a map every pixel is normalised by itself."""

    kind = "rms_norm"
    written = False
    normalises = True
    branched = Branched(refused="it would normalise over the channels of all branches at once")
    drawn = Drawn(word="norm")
    folds = True
    signature = Signature(
        "rms",
        (
            Parameter("eps", "number", Fraction(1, 100_000), "added to the mean of squares", above=0, below=1),
            Parameter("affine", "flag", True, "whether it has a learned scale"),
            Parameter("bank", "bank", "shared", "which sub-networks share scales"),
        ),
        "Division by the root of the mean of squares of every token, vector or pixel, with a learned scale.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        params = RmsNormParams(
            channels=tensor.features,
            eps=cast(Number, call.args["eps"]),
            affine=cast(bool, call.args["affine"]),
            full_channels=call.maximum(tensor.features),
        )
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(RmsNormParams, op.params)
        weight = Weight("weight", (p.full_channels,), (p.channels,), copies=op.bank.count)
        return (weight,) if p.affine else ()

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(outputs[0].features, *outputs[0].space)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True, more=product(*outputs[0].space))


OPERATORS = (RmsNorm(),)
