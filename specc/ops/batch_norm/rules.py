"""Batch normalisation, with one bank of statistics and scales or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import product, refuse_tokens


@dataclass(frozen=True, slots=True)
class BatchNormParams:
    """`channels` are active, `full_channels` those of the largest sub-network."""

    channels: Expr
    eps: Number
    momentum: Number
    full_channels: int
    affine: bool = True


class BatchNorm(Operator):
    """`norm`, under the setting `norm batch(..)`."""

    kind = "batch_norm"
    written = False
    row_per_channel = True
    normalises = True
    keeps_statistics = True
    silent = True
    branched = Branched(
        first=(
            "before its first convolution every branch reads the same tensor, so this norm is one for all",
            "put it before `branches`",
        )
    )
    drawn = Drawn(word="norm")
    reads_runs = True
    folds = True
    channelwise = True
    signature = Signature(
        "batch",
        (
            Parameter("eps", "number", Fraction(1, 100_000), "added to the variance", above=0, below=1),
            Parameter(
                "momentum",
                "number",
                Fraction(1, 10),
                "weight of a new batch in the running statistics",
                above=0,
                most=1,
            ),
            Parameter("affine", "flag", True, "whether it has a learned scale and offset"),
            Parameter("bank", "bank", "shared", "which sub-networks share statistics and scales"),
        ),
        "Batch normalisation over images and pixels, with a learned scale and offset per channel.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = refuse_tokens(call, "a batch norm")
        params = BatchNormParams(
            channels=tensor.features,
            eps=cast(Number, call.args["eps"]),
            momentum=cast(Number, call.args["momentum"]),
            full_channels=call.maximum(tensor.features),
            affine=cast(bool, call.args["affine"]),
        )
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(BatchNormParams, op.params)
        names = ("weight", "bias") if p.affine else ()
        return tuple(Weight(name, (p.full_channels,), (p.channels,), copies=op.bank.count) for name in names)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(outputs[0].features, *outputs[0].space)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("folds", summed=True)


OPERATORS = (BatchNorm(),)
