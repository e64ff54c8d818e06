"""Two-dimensional convolution, dense, grouped or depthwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, OpCall, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import one, product, require_map, same_padding, window_space

GROUPS_DIVIDE = Rule(
    "E404",
    "groups-do-not-divide",
    "the groups of a convolution do not divide its channels",
    "`groups=g` splits input and output channels into g equal parts, so g must divide both.\n"
    "Wrong:  conv(64, kernel=3, groups=12)\n"
    "Right:  conv(64, kernel=3, groups=16)",
)


@dataclass(frozen=True, slots=True)
class ConvParams:
    """`inputs`, `out`, `groups` and `kernel` are active sizes; `full_*` are those of the largest sub-network.

    `group_inputs` and `group_out` are the channels of one group: fixed, so that an elastic grouped convolution
    keeps whole groups.
    """

    inputs: Expr
    out: Expr
    kernel: Expr
    stride: int
    padding: Expr
    dilation: int
    groups: Expr
    bias: bool
    full_inputs: int
    full_out: int
    full_kernel: int
    full_groups: int


WINDOW = (
    Parameter("kernel", "integer", doc="height and width of the window", elastic=True),
    Parameter("stride", "integer", 1, "step of the window"),
    Parameter("padding", "count", None, "zeros on every side; (kernel - 1) / 2 if not given, which keeps the size"),
    Parameter("dilation", "integer", 1, "distance between the window's taps"),
)
BIAS = Parameter("bias", "flag", False, "add a learned offset per output channel")


class Convolution:
    """`conv(out, kernel=k)`."""

    kind = "conv"
    folds = False
    signature = Signature(
        "conv",
        (
            Parameter("out", "channels", doc="output channels"),
            *WINDOW,
            Parameter("groups", "integer", 1, "independent groups of channels; widths become multiples of a group"),
            BIAS,
        ),
        "A convolution over a feature map.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a convolution")
        full_groups = cast(int, call.args["groups"])
        inputs, full_inputs = tensor.features, call.maximum(tensor.features)
        if full_groups == 1:
            out = call.out_channels("out")
            return build_convolution(call, tensor, inputs, out, groups=1)
        full_out = call.maximum(cast(Expr, call.args["out"]))
        for channels, which in ((full_inputs, "input"), (full_out, "output")):
            if channels % full_groups:
                call.report(
                    GROUPS_DIVIDE, f"{full_groups} groups do not divide {channels} {which} channels", at="groups"
                )
                return build_convolution(call, tensor, inputs, full_out, groups=1)
        groups = call.whole_groups(inputs, full_inputs // full_groups)
        out = product(groups, full_out // full_groups)
        return build_convolution(call, tensor, inputs, out, groups)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(ConvParams, op.params)
        per_group = apply("div", p.inputs, p.groups)
        full = (p.full_out, p.full_inputs // p.full_groups, p.full_kernel, p.full_kernel)
        weight = Weight("weight", full, (p.out, per_group, p.kernel, p.kernel))
        return (weight, Weight("bias", (p.full_out,), (p.out,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(ConvParams, op.params)
        per_group = apply("div", p.inputs, p.groups)
        return product(p.out, per_group, p.kernel, p.kernel, *outputs[0].space)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return 0


class Depthwise(Convolution):
    """`depthwise(kernel=k)`: one filter a channel."""

    kind = "depthwise"
    signature = Signature(
        "depthwise",
        (*WINDOW, BIAS),
        "A depthwise convolution: every channel has a filter of its own and there are as many outputs as inputs.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a depthwise convolution")
        return build_convolution(call, tensor, tensor.features, tensor.features, groups=tensor.features)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(ConvParams, op.params)
        weight = Weight("weight", (p.full_out, 1, p.full_kernel, p.full_kernel), (p.out, 1, p.kernel, p.kernel))
        return (weight, Weight("bias", (p.full_out,), (p.out,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(ConvParams, op.params)
        return product(p.out, p.kernel, p.kernel, *outputs[0].space)


def build_convolution(call: OpCall, tensor: Tensor, inputs: Expr, out: Expr, groups: Expr) -> Built:
    """Params and output shape of either kind."""
    kernel = cast(Expr, call.args["kernel"])
    stride = cast(int, call.args["stride"])
    dilation = cast(int, call.args["dilation"])
    padding = cast("Expr | None", call.args["padding"])
    if padding is None:
        padding = same_padding(kernel, dilation)
    params = ConvParams(
        inputs=inputs,
        out=out,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=cast(bool, call.args["bias"]),
        full_inputs=call.maximum(inputs),
        full_out=call.maximum(out),
        full_kernel=call.maximum(kernel),
        full_groups=call.maximum(groups),
    )
    channels = tensor.channels if out is inputs else one(out)
    return Built(params, ((channels, window_space(call, tensor.space, kernel, stride, padding, dilation)),))


OPERATORS = (Convolution(), Depthwise())
