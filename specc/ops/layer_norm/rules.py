"""Layer normalisation over the channels of every token, vector or pixel, with one bank of scales or several."""

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
class LayerNormParams:
    """`channels` are active, `full_channels` those of the largest sub-network."""

    channels: Expr
    eps: Number
    full_channels: int
    affine: bool = True
    bias: bool = True


class LayerNorm(Operator):
    """`norm`, under the setting `norm layer(..)`. On a map every pixel is normalised by itself."""

    kind = "layer_norm"
    written = False
    normalises = True
    branched = Branched(refused="it would normalise over the channels of all branches at once")
    drawn = Drawn(word="norm")
    reads_runs = True
    folds = True
    passes_runs = True
    signature = Signature(
        "layer",
        (
            Parameter("eps", "number", Fraction(1, 100_000), "added to the variance", above=0, below=1),
            Parameter("affine", "flag", True, "whether it has a learned scale and offset"),
            Parameter("bias", "flag", True, "whether it has a learned offset beside its scale"),
            Parameter("bank", "bank", "shared", "which sub-networks share scales and offsets"),
        ),
        "Layer normalisation over the channels of every token, vector or pixel, with a learned scale and offset.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        params = LayerNormParams(
            channels=tensor.features,
            eps=cast(Number, call.args["eps"]),
            affine=cast(bool, call.args["affine"]),
            bias=cast(bool, call.args["affine"]) and cast(bool, call.args["bias"]),
            full_channels=call.maximum(tensor.features),
        )
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(LayerNormParams, op.params)
        names = ("weight", "bias")[: p.affine + p.bias]
        return tuple(Weight(name, (p.full_channels,), (p.channels,), copies=op.bank.count) for name in names)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(outputs[0].features, *outputs[0].space)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True, more=product(2, *outputs[0].space))


OPERATORS = (LayerNorm(),)
