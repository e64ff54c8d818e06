"""Two-dimensional convolution, dense, grouped or depthwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import DENSE, Connection, Op, Segment, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Sizes, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ir.window import Window, sides, window_of
from specc.ops.runs import grouped_runs, total
from specc.ops.shapes import GROUPS_DIVIDE, one, product, require_map, same_padding, window_label, window_space
from specc.ops.triangular.rules import connected, connected_channels, pairs

EVEN_NEEDS_PADDING = Rule(
    "E413",
    "even-kernel-needs-padding",
    "a convolution with an even kernel needs an explicit padding",
    "Without `padding` a convolution keeps the size of its map at stride 1: (kernel - 1) / 2 zeros on every side. For\n"
    "an even kernel that is no whole number, so its padding is said.\n"
    "Wrong:  conv(96, kernel=4, stride=4)\n"
    "Right:  conv(96, kernel=4, stride=4, padding=0)",
)


@dataclass(frozen=True, slots=True)
class ConvParams:
    """`inputs`, `out`, `groups` and `kernel` are active sizes; `full_*` are those of the largest sub-network. Windows
    that are not square are pairs of height and width.

    `transforms` are kernel sizes, smaller than the largest, that are learned transforms of the next larger one.
    `group_inputs` and `group_out` are the channels of one group: fixed, so that an elastic grouped convolution
    keeps whole groups.
    """

    inputs: Expr
    out: Expr
    kernel: Window
    stride: Window
    padding: Window
    dilation: Window
    groups: Expr
    bias: bool
    full_inputs: int
    full_out: int
    full_kernel: Window
    full_groups: int
    transforms: tuple[int, ...] = ()


WINDOW = (
    Parameter("kernel", "integer", doc="height and width of the window", elastic=True, pair=True),
    Parameter("stride", "integer", 1, "step of the window", pair=True),
    Parameter(
        "padding",
        "count",
        None,
        "zeros on every side; (kernel - 1) / 2 of an odd kernel if not given, which keeps the size",
        pair=True,
    ),
    Parameter("dilation", "integer", 1, "distance between the window's taps", pair=True),
)
BIAS = Parameter("bias", "flag", False, "add a learned offset per output channel")


class Convolution(Operator):
    """`conv(out, kernel=k)`."""

    kind = "conv"
    example = "conv(64, kernel={3, 5}, stride=2); norm; relu"
    connects = True
    layer = True
    row_per_channel = True
    branched = Branched(grouped=True)
    drawn = Drawn(family="conv")
    reads_runs = True
    writes_runs = True
    signature = Signature(
        "conv",
        (
            Parameter("out", "channels", doc="output channels"),
            *WINDOW,
            Parameter(
                "groups",
                "integer",
                1,
                "independent groups of channels, in the largest network; widths become multiples of a group",
                at_largest=True,
            ),
            BIAS,
        ),
        "A convolution over a feature map.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a convolution")
        full_groups = cast(int, call.args["groups"])
        inputs, full_inputs = tensor.features, call.maximum(tensor.features)
        full_out = call.maximum(cast(Expr, call.args["out"]))
        connection = connected(call, tensor, full_out, full_groups)
        if connection.kind == "diagonal" and connection.blocks is not None:
            full_groups, connection = connection.blocks, DENSE  # blocks on the diagonal are groups
        if full_groups == 1:
            out = connected_channels(call, tensor, "out", connection)
            return build_convolution(call, tensor, inputs, out, groups=1, connection=connection)
        for channels, which in ((full_inputs, "input"), (full_out, "output")):
            if channels % full_groups:
                call.report(
                    GROUPS_DIVIDE, f"{full_groups} groups do not divide {channels} {which} channels", at="groups"
                )
                return build_convolution(call, tensor, inputs, full_out, groups=1)
        per_group = full_inputs // full_groups
        if len(tensor.channels) > 1:
            runs = grouped_runs(call, tensor, per_group, full_out // full_groups)
            groups = apply("div", inputs, per_group)
            return build_convolution(call, tensor, inputs, total(runs), groups, channels=runs)
        groups = call.whole_groups(inputs, per_group)
        out = product(groups, full_out // full_groups)
        return build_convolution(call, tensor, inputs, out, groups)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(ConvParams, op.params)
        full = (p.full_out, p.full_inputs // p.full_groups, *full_taps(p))
        weight = Weight("weight", full, (*connected_pairs(op), *sides(p.kernel)))
        return (weight, *bias_and_transforms(p))

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(ConvParams, op.params)
        return product(*connected_pairs(op), *sides(p.kernel), *outputs[0].space)

    def label(self, op: Op, sizes: Sizes) -> str:
        """`3×3/2`, with a sign for its connection and the most groups where there are several."""
        p = cast(ConvParams, op.params)
        groups = sizes.of(p.groups)[1]
        sign = {"dense": "", "triangular": "◺", "diagonal": "⋱"}[op.connection.kind]
        return f"{sign}{window_label(p.kernel, p.stride, sizes)}" + (f" ×{groups}" if groups > 1 else "")

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        p = cast(ConvParams, op.params)
        moves = (side for window in (p.kernel, p.stride, p.padding, p.dilation) for side in sides(window))
        return Memory(absorbs=True, summed=True, window=(*moves, p.groups, p.inputs, p.out))


class Depthwise(Convolution):
    """`depthwise(kernel=k)`: one filter a channel."""

    kind = "depthwise"
    example = "depthwise(kernel=3); norm; relu"
    connects = False
    branched = Branched(
        first=(
            "before its first convolution a branch has no channels of its own to convolve one by one",
            "begin with a convolution",
        )
    )
    drawn = Drawn(family="depthwise")
    channelwise = True
    signature = Signature(
        "depthwise",
        (*WINDOW, BIAS),
        "A depthwise convolution: every channel has a filter of its own and there are as many outputs as inputs.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a depthwise convolution")
        inputs = tensor.features
        return build_convolution(call, tensor, inputs, inputs, inputs, channels=tensor.channels)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(ConvParams, op.params)
        weight = Weight("weight", (p.full_out, 1, *full_taps(p)), (p.out, 1, *sides(p.kernel)))
        return (weight, *bias_and_transforms(p))

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(ConvParams, op.params)
        return product(p.out, *sides(p.kernel), *outputs[0].space)

    def label(self, op: Op, sizes: Sizes) -> str:
        p = cast(ConvParams, op.params)
        return f"dw {window_label(p.kernel, p.stride, sizes)}"


def connected_pairs(op: Op) -> tuple[Expr, ...]:
    """Factors of the number of pairs of an input and an output channel that a convolution joins."""
    p = cast(ConvParams, op.params)
    if op.connection.kind == "dense":
        return p.out, apply("div", p.inputs, p.groups)
    return (pairs(op.connection, p.inputs, p.out, p.full_inputs, p.full_out),)


def full_taps(p: ConvParams) -> tuple[int, int]:
    """Height and width of the largest kernel."""
    return cast("tuple[int, int]", sides(p.full_kernel))


def bias_and_transforms(p: ConvParams) -> tuple[Weight, ...]:
    """The weights beside the filters. Extraction transforms the filters once: an extracted sub-network keeps none."""
    bias = (Weight("bias", (p.full_out,), (p.out,)),) if p.bias else ()
    sizes = () if isinstance(p.kernel, int) else p.transforms
    return (*bias, *(Weight(f"transform{size}", (size**2, size**2), (0,)) for size in sizes))


def build_convolution(
    call: OpCall,
    tensor: Tensor,
    inputs: Expr,
    out: Expr,
    groups: Expr,
    connection: Connection = DENSE,
    channels: tuple[Segment, ...] | None = None,
) -> Built:
    """Params and output shape of either kind. `channels` are the output's, one run of `out` if not given."""
    kernel, stride = cast(Window, call.args["kernel"]), cast(Window, call.args["stride"])
    dilation, padding = cast(Window, call.args["dilation"]), cast("Window | None", call.args["padding"])
    if padding is None:
        check_centred(call, kernel, dilation)
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
        full_kernel=largest_window(call, kernel),
        full_groups=call.maximum(groups),
    )
    space = window_space(call, tensor.space, kernel, stride, padding, dilation)
    return Built(params, ((channels or one(out), space),), connection)


def largest_window(call: OpCall, window: Window) -> Window:
    """The window where every choice is at its last option."""
    return window_of(*map(call.maximum, window)) if isinstance(window, tuple) else call.maximum(window)


def check_centred(call: OpCall, kernel: Window, dilation: Window) -> None:
    """Reports a window without `padding` that has no pixel in its middle: nothing says where it stands."""
    for taps, apart in zip(sides(kernel), sides(dilation), strict=True):
        if isinstance(taps, int) and isinstance(apart, int) and apart * (taps - 1) % 2:
            call.report(
                EVEN_NEEDS_PADDING,
                f"a kernel of {taps} has no pixel in its middle, so no padding keeps the size of the map",
                at="kernel",
                help="say which is meant: `padding=0` for windows inside the map, or another number",
            )
            return


OPERATORS = (Convolution(), Depthwise())
