"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr
from specc.ir.graph import Op, Segment, Tensor
from specc.ir.operator import Built, OpCall, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import NEEDS_VECTOR, one, product


@dataclass(frozen=True, slots=True)
class LinearParams:
    """`inputs` and `out` count active features, `full_*` those of the largest sub-network.

    `segments` is how the input is cut: each keeps the first `size * spread` of its full features.
    """

    inputs: Expr
    out: Expr
    segments: tuple[Segment, ...]
    bias: bool
    full_inputs: int
    full_out: int


class Linear:
    """`linear(out)`."""

    kind = "linear"
    folds = False
    signature = Signature(
        "linear",
        (
            Parameter("out", "channels", doc="output features"),
            Parameter("bias", "flag", True, "add a learned offset"),
        ),
        "A fully connected layer on a vector.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        if tensor.space:
            call.report(
                NEEDS_VECTOR,
                f"linear needs a vector, but a map of {call.maximum(tensor.features)} channels arrives here",
                help="put `pool(avg)` or `flatten` before it",
            )
        out = call.out_channels("out")
        params = LinearParams(
            inputs=tensor.features,
            out=out,
            segments=tensor.channels,
            bias=cast(bool, call.args["bias"]),
            full_inputs=call.maximum(tensor.features),
            full_out=call.maximum(out),
        )
        return Built(params, ((one(out), ()),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(LinearParams, op.params)
        weight = Weight("weight", (p.full_out, p.full_inputs), (p.out, p.inputs))
        return (weight, Weight("bias", (p.full_out,), (p.out,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(LinearParams, op.params)
        return product(p.out, p.inputs)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return 0


OPERATORS = (Linear(),)
