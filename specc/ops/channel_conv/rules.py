"""A convolution along the channels of a vector, as in Efficient Channel Attention (Wang et al., 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Sizes, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import described, product

CHANNELS_OF_VECTOR = Rule(
    "E472",
    "channel-conv-of-vector",
    "a convolution along the channels has no vector, or an even kernel",
    "`channel_conv` slides over the channels of a vector, and an odd kernel keeps their number.\n"
    "Wrong:  conv(64, kernel=3); channel_conv(4)\n"
    "Right:  conv(64, kernel=3); x = relu; pool(avg); channel_conv(3); sigmoid; scale(x, here)",
)


@dataclass(frozen=True, slots=True)
class ChannelConvParams:
    """The channels that each sum takes."""

    kernel: int
    bias: bool


class ChannelConv(Operator):
    """`channel_conv(3)`. Its weights are the same for all channels: in a narrow sub-network neighbours are those among
    the active, with zeros beyond the last."""

    kind = "channel_conv"
    example = "pool(avg); channel_conv(3); sigmoid"
    branched = Branched(refused="its neighbours would be channels of other branches")
    layer = True
    reads_runs = True
    passes_runs = True
    drawn = Drawn(family="linear", word="along channels")
    signature = Signature(
        "channel_conv",
        (
            Parameter("kernel", "integer", doc="how many neighbouring channels, an odd number"),
            Parameter("bias", "flag", False, "add one learned offset"),
        ),
        "A convolution along the channels of a vector, with zeros beyond the first and the last.",
    )

    def build(self, call: OpCall) -> Built:
        tensor, kernel = call.inputs[0], cast(int, call.args["kernel"])
        if tensor.space:
            message = f"`channel_conv` needs a vector, but {described(call, tensor)} here"
            call.report(CHANNELS_OF_VECTOR, message, help="put `pool(avg)` before it")
        if kernel % 2 == 0:
            message = f"a kernel of {kernel} has no channel in its middle"
            call.report(CHANNELS_OF_VECTOR, message, at="kernel", help=f"write {kernel + 1}")
        return Built(ChannelConvParams(kernel, cast(bool, call.args["bias"])), ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(ChannelConvParams, op.params)
        weight = Weight("weight", (1, 1, p.kernel), (1, 1, p.kernel))
        return (weight, Weight("bias", (1,), (1,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(outputs[0].features, cast(ChannelConvParams, op.params).kernel)

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        return ((outputs[0].features, cast(ChannelConvParams, op.params).kernel),)

    def label(self, op: Op, sizes: Sizes) -> str:
        return f"{cast(ChannelConvParams, op.params).kernel} channels"

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory()


OPERATORS = (ChannelConv(),)
