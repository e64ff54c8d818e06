"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr
from specc.ir.graph import Op, Segment, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import NEEDS_VECTOR, described, one, product
from specc.ops.triangular.rules import blocks_of, connected, connected_channels, pairs


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


class Linear(Operator):
    """`linear(out)`."""

    kind = "linear"
    example = "pool(avg); linear(128); relu"
    connects = True
    layer = True
    row_per_channel = True
    branched = Branched(refused="it mixes all features of a vector, and branches share one")
    drawn = Drawn(family="linear")
    reads_runs = True
    writes_runs = True
    signature = Signature(
        "linear",
        (
            Parameter("out", "channels", doc="output features"),
            Parameter("bias", "flag", True, "add a learned offset"),
        ),
        "A fully connected layer on a vector, or on each of some tokens.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        if len(tensor.space) == 2:
            call.report(
                NEEDS_VECTOR,
                f"linear needs a vector or tokens, but {described(call, tensor)} here",
                help="put `pool(avg)` or `flatten` before it; at every pixel of a map it is `conv(out, kernel=1)`",
            )
        connection = connected(call, tensor, cast(Expr, call.args["out"]))
        if connection.kind == "diagonal":
            out = blocks_of(call, tensor, connection, call.maximum(cast(Expr, call.args["out"])))
        else:
            out = connected_channels(call, tensor, "out", connection)
        params = LinearParams(
            inputs=tensor.features,
            out=out,
            segments=tensor.channels,
            bias=cast(bool, call.args["bias"]),
            full_inputs=call.maximum(tensor.features),
            full_out=call.maximum(out),
        )
        return Built(params, ((one(out), tensor.space if len(tensor.space) == 1 else ()),), connection)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(LinearParams, op.params)
        columns = p.full_inputs
        if op.connection.kind == "diagonal" and op.connection.blocks is not None:
            columns //= op.connection.blocks
        weight = Weight("weight", (p.full_out, columns), connected_pairs(op))
        return (weight, Weight("bias", (p.full_out,), (p.out,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(*connected_pairs(op), *outputs[0].space)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(absorbs=True, summed=True)


def connected_pairs(op: Op) -> tuple[Expr, ...]:
    """Factors of the number of pairs of features that the layer joins."""
    p = cast(LinearParams, op.params)
    if op.connection.kind == "dense":
        return p.out, p.inputs
    return (pairs(op.connection, p.inputs, p.out, p.full_inputs, p.full_out),)


OPERATORS = (Linear(),)
