"""Transposed convolution: each pixel adds a window of weights to a larger map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op, Segment, Tensor
from specc.ir.operator import Built, Drawn, Memory, OpCall, Operator, Sizes, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ir.window import Window, sides, window_of
from specc.ops.runs import grouped_runs, total
from specc.ops.shapes import GROUPS_DIVIDE, one, product, require_map, window_label

TRANSPOSED_PADDING = Rule(
    "E420",
    "transposed-padding",
    "a transposed convolution does not say its padding, or adds more than its step",
    "Without `padding` a transposed convolution makes the map `stride` times as high and wide. For that a window and\n"
    "`output_padding`, which is less than the stride, cover an even number of pixels more than the stride.\n"
    "Wrong:  conv_transpose(32, kernel=3, stride=2)\n"
    "Right:  conv_transpose(32, kernel=4, stride=2)   or   conv_transpose(32, kernel=3, stride=2, output_padding=1)",
)


@dataclass(frozen=True, slots=True)
class TransposedParams:
    """`inputs`, `out` and `groups` are active sizes; `full_*` are those of the largest sub-network."""

    inputs: Expr
    out: Expr
    kernel: Window
    stride: Window
    padding: Window
    output_padding: Window
    dilation: Window
    groups: Expr
    bias: bool
    full_inputs: int
    full_out: int
    full_groups: int


class TransposedConvolution(Operator):
    """`conv_transpose(32, kernel=2, stride=2)`."""

    kind = "conv_transpose"
    example = "conv_transpose(32, kernel=2, stride=2); norm; relu"
    layer = True
    reads_runs = True
    writes_runs = True
    drawn = Drawn(family="conv")
    signature = Signature(
        "conv_transpose",
        (
            Parameter("out", "channels", doc="output channels"),
            Parameter("kernel", "integer", doc="height and width of the window", pair=True),
            Parameter("stride", "integer", 1, "how many times as high and wide", pair=True),
            Parameter(
                "padding",
                "count",
                None,
                "pixels cut off at every side; if not given, as many as make the map `stride` times as large",
                pair=True,
            ),
            Parameter("output_padding", "count", 0, "pixels more at the bottom and the right", pair=True),
            Parameter("dilation", "integer", 1, "distance between the window's taps", pair=True),
            Parameter(
                "groups",
                "integer",
                1,
                "independent groups of channels, in the largest network; widths become multiples of a group",
                at_largest=True,
            ),
            Parameter("bias", "flag", False, "add a learned offset per output channel"),
        ),
        "A transposed convolution, which enlarges a feature map.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a transposed convolution")
        groups = cast(int, call.args["groups"])
        inputs, out = call.maximum(tensor.features), call.maximum(cast(Expr, call.args["out"]))
        for channels, which in ((inputs, "input"), (out, "output")):
            if channels % groups:
                call.report(GROUPS_DIVIDE, f"{groups} groups do not divide {channels} {which} channels", at="groups")
                groups = 1
        if groups == 1:
            return transposed(call, tensor, one(call.out_channels("out")), 1)
        per_group, per_out = inputs // groups, out // groups
        if len(tensor.channels) > 1:
            runs = grouped_runs(call, tensor, per_group, per_out)
            return transposed(call, tensor, runs, apply("div", tensor.features, per_group))
        active = call.whole_groups(tensor.features, per_group)
        return transposed(call, tensor, one(product(active, per_out)), active)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(TransposedParams, op.params)
        taps = cast("tuple[int, int]", sides(p.kernel))
        full = (p.full_inputs, p.full_out // p.full_groups, *taps)
        weight = Weight("weight", full, (p.inputs, apply("div", p.out, p.groups), *taps))
        return (weight, Weight("bias", (p.full_out,), (p.out,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(*self.products(op, inputs, outputs)[0])

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        """Each weight is used once at each place of the input."""
        return ((*self.weights(op, inputs, outputs)[0].active, *inputs[0].space),)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)

    def label(self, op: Op, sizes: Sizes) -> str:
        """`2×2 ×2`: the window, and how many times as large the map becomes."""
        p = cast(TransposedParams, op.params)
        stride = "×".join(map(str, dict.fromkeys(sides(p.stride))))
        return f"{window_label(p.kernel, 1, sizes)} ↑{stride}"


def transposed(call: OpCall, tensor: Tensor, channels: tuple[Segment, ...], groups: Expr) -> Built:
    """Params and output shape."""
    kernel, stride = cast(Window, call.args["kernel"]), cast(Window, call.args["stride"])
    dilation, more = cast(Window, call.args["dilation"]), cast(Window, call.args["output_padding"])
    given = cast("Window | None", call.args["padding"])
    cut: list[int] = []
    space: list[Expr] = []
    axes = zip(*(map(call.maximum, sides(window)) for window in (kernel, stride, dilation, more)), strict=True)
    for at, (taps, step, apart, extra) in enumerate(axes):
        reach = apart * (taps - 1) + 1 + extra
        if extra >= max(step, apart):
            message = f"an output padding of {extra} is not less than the stride, {step}"
            call.report(TRANSPOSED_PADDING, message, at="output_padding", help="use a number below the stride")
        if given is None and ((reach - step) % 2 or reach < step):
            message = f"no padding makes the map {step} times as large with a window of {reach}"
            call.report(TRANSPOSED_PADDING, message, at="kernel", help="say it: `padding=1`, or add `output_padding=1`")
        cut.append((reach - step) // 2 if given is None else call.maximum(sides(given)[at]))
        if at < len(tensor.space):
            grown = apply("mul", tensor.space[at], step)
            space.append(apply("add", grown, reach - step - 2 * cut[at]))
    params = TransposedParams(
        inputs=tensor.features,
        out=total(channels),
        kernel=kernel,
        stride=stride,
        padding=window_of(*cut),
        output_padding=more,
        dilation=dilation,
        groups=groups,
        bias=cast(bool, call.args["bias"]),
        full_inputs=call.maximum(tensor.features),
        full_out=call.maximum(total(channels)),
        full_groups=call.maximum(groups),
    )
    return Built(params, ((channels, tuple(space)),))


OPERATORS = (TransposedConvolution(),)
