"""Instance normalisation: over the pixels of each channel of each image, with one bank of scales or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import product, refuse_tokens, require_map


@dataclass(frozen=True, slots=True)
class InstanceNormParams:
    """`channels` are active, `full_channels` those of the largest sub-network."""

    channels: Expr
    eps: Number
    full_channels: int
    affine: bool = True


class InstanceNorm(Operator):
    """`norm`, under the setting `norm instance(..)`."""

    kind = "instance_norm"
    written = False
    row_per_channel = True
    normalises = True
    silent = True
    branched = Branched(
        first=(
            "before its first convolution every branch reads the same tensor, so this norm is one for all",
            "put it before `branches`",
        )
    )
    drawn = Drawn(word="norm")
    folds = True
    channelwise = True
    signature = Signature(
        "instance",
        (
            Parameter("eps", "number", Fraction(1, 100_000), "added to the variance", above=0, below=1),
            Parameter("affine", "flag", True, "whether it has a learned scale and offset"),
            Parameter("bank", "bank", "shared", "which sub-networks share scales and offsets"),
        ),
        "Normalisation over the pixels of each channel, with a learned scale and offset per channel.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = refuse_tokens(call, "an instance norm")
        if len(tensor.space) != 1:
            require_map(call, "an instance norm")
        params = InstanceNormParams(
            channels=tensor.features,
            eps=cast(Number, call.args["eps"]),
            affine=cast(bool, call.args["affine"]),
            full_channels=call.maximum(tensor.features),
        )
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(InstanceNormParams, op.params)
        names = ("weight", "bias") if p.affine else ()
        return tuple(Weight(name, (p.full_channels,), (p.channels,), copies=op.bank.count) for name in names)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(outputs[0].features, *outputs[0].space)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True, more=product(2, outputs[0].features))


OPERATORS = (InstanceNorm(),)
