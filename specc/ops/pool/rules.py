"""Pooling: over windows, over the whole map, or to a given size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator, Sizes
from specc.ir.parameter import Parameter, Signature, Words
from specc.ir.window import Window, sides
from specc.ops.shapes import product, require_map, same_padding, window_label, window_space

POOL_SIZE = Rule(
    "E405",
    "pool-size-and-kernel",
    "a pool has both a kernel and an output size",
    "`pool(avg, 2)` slides a window, `pool(avg, size=7)` adapts its windows to give 7 x 7, `pool(avg)` takes "
    "the whole map,\n`pool(avg, over=width)` each row.\n"
    "Wrong:  pool(avg, 2, size=7)\n"
    "Right:  pool(avg, size=7)",
)


POOL_PADDING = Rule(
    "E412",
    "pool-padding",
    "the border of a pool is more than half of its window",
    "A window inside the border has nothing to pool, so the border is at most half of the kernel.\n"
    "Wrong:  maxpool(3, padding=2)\n"
    "Right:  maxpool(3, padding=1)",
)


@dataclass(frozen=True, slots=True)
class PoolParams:
    """`kernel` None is the whole map, giving a vector - or `size` windows where that is given, as many as it says in
    height and width.

    ceil           lets a last window reach over the border
    count_padding  of a mean: whether the border's zeros count
    over           without a kernel: what is pooled, the whole map, or each column or row of it
    """

    mode: Literal["avg", "max"]
    kernel: Window | None
    stride: Window
    padding: Window
    size: Window | None
    ceil: bool = False
    dilation: Window = 1
    count_padding: bool = True
    over: Literal["map", "height", "width"] = "map"


PADDING = Parameter(
    "padding", "count", None, "border on every side; (kernel - 1) / 2 rounded down if not given", pair=True
)
STRIDE = Parameter("stride", "integer", None, "step of the window; the kernel if not given", pair=True)
CEIL = Parameter("ceil", "flag", False, "also take a last window that reaches over the border")


class Pool(Operator):
    """`pool(avg)`, `pool(avg, 2)`, `pool(max, size=7)`."""

    kind = "pool"
    example = "pool(avg, 2)    # windows of 2x2; pool(avg) takes the whole map"
    channelwise = True
    signature = Signature(
        "pool",
        (
            Parameter("mode", Words(("avg", "max")), doc="mean or maximum of a window"),
            Parameter(
                "kernel", "integer", None, "height and width of the window; the whole map if not given", pair=True
            ),
            STRIDE,
            PADDING,
            Parameter("size", "integer", None, "adapt the windows to give this height and width", pair=True),
            CEIL,
            Parameter("count_padding", "flag", True, "whether the zeros of the border count in a mean"),
            Parameter("over", Words(("map", "height", "width")), "map", "pool the whole map, or over one axis of it"),
        ),
        "Pools windows; without a kernel the whole map, which leaves a vector, or over its height or width.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a pool")
        mode = cast(Literal["avg", "max"], call.args["mode"])
        kernel, size = cast("Window | None", call.args["kernel"]), cast("Window | None", call.args["size"])
        if kernel is not None and size is not None:
            call.report(POOL_SIZE, "a pool takes a kernel or a size, not both", at="size")
        over = cast(Literal["map", "height", "width"], call.args["over"])
        if over != "map":
            if kernel is not None or size is not None:
                given = "kernel" if kernel is not None else "size"
                message = f"a pool over the {over} takes no {given}"
                call.report(POOL_SIZE, message, at="over", help=f"leave out `{given}`, or `over`")
            space = tensor.space
            if len(space) == 2:
                space = (1, space[1]) if over == "height" else (space[0], 1)
            return Built(PoolParams(mode, None, 1, 0, None, over=over), ((tensor.channels, space),))
        if kernel is None:
            space = () if size is None else sides(size)
            return Built(PoolParams(mode, None, 1, 0, size), ((tensor.channels, space),))
        return window_pool(call, mode, kernel)

    def label(self, op: Op, sizes: Sizes) -> str:
        """`avg 2×2/2`, `avg pool`."""
        p = cast(PoolParams, op.params)
        if p.over != "map":
            return f"{p.mode} over {p.over}"
        return f"{p.mode} pool" if p.kernel is None else f"{p.mode} {window_label(p.kernel, p.stride, sizes)}"

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        p = cast(PoolParams, op.params)
        windows = p.mode == "max" and (p.kernel is not None or p.size is not None)
        return Memory(more=maxima(outputs) if windows else 0)


class MaxPool(Operator):
    """`maxpool(3, stride=2)`."""

    kind = "maxpool"
    example = "maxpool(3, stride=2)"
    channelwise = True
    signature = Signature(
        "maxpool",
        (
            Parameter("kernel", "integer", doc="height and width of the window", pair=True),
            STRIDE,
            PADDING,
            CEIL,
            Parameter("dilation", "integer", 1, "distance between the window's taps", pair=True),
        ),
        "The maximum of every window.",
    )

    def build(self, call: OpCall) -> Built:
        require_map(call, "a max pool")
        return window_pool(call, "max", cast(Window, call.args["kernel"]))

    def label(self, op: Op, sizes: Sizes) -> str:
        p = cast(PoolParams, op.params)
        return f"max {window_label(cast(Window, p.kernel), p.stride, sizes)}"

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(more=maxima(outputs))


def maxima(outputs: Sequence[Tensor]) -> Expr:
    """Elements that the indices of all maxima take: 8 bytes each."""
    return product(2, outputs[0].features, *outputs[0].space)


def window_pool(call: OpCall, mode: Literal["avg", "max"], kernel: Window) -> Built:
    """A sliding pool's params and output shape."""
    tensor = call.inputs[0]
    stride = cast("Window | None", call.args["stride"]) or kernel
    given = cast("Window | None", call.args["padding"])
    dilation = cast(Window, call.args.get("dilation", 1))
    padding = same_padding(kernel) if given is None else given
    for border, taps in zip(sides(padding), sides(kernel), strict=True):
        if given is not None and call.maximum(border) > call.maximum(taps) // 2:
            message = f"a border of {border} is more than half of the kernel, {taps}, so that windows would be empty"
            call.report(POOL_PADDING, message, at="padding", help=f"use {call.maximum(taps) // 2} at most")
            break
    space = window_space(call, tensor.space, kernel, stride, padding, dilation)
    ceil = cast(bool, call.args["ceil"])
    if ceil and space != tensor.space:
        axes = zip(tensor.space, *map(sides, (kernel, stride, padding, dilation)), strict=True)
        space = tuple(reaching_over(*axis) for axis in axes)
    counts = cast(bool, call.args.get("count_padding", True))
    return Built(PoolParams(mode, kernel, stride, padding, None, ceil, dilation, counts), ((tensor.channels, space),))


def reaching_over(size: Expr, kernel: Expr, stride: Expr, padding: Expr, dilation: Expr) -> Expr:
    """The number of windows of which the last may reach over the border, but begins inside the map or before it."""
    room = apply("add", size, apply("sub", product(2, padding), reach(kernel, dilation)))
    windows = apply("add", apply("ceil", apply("div", room, stride)), 1)
    last = apply("add", size, apply("sub", padding, 1))
    begin_inside = apply("add", apply("floor", apply("div", last, stride)), 1)
    return apply("min", windows, begin_inside)


def reach(kernel: Expr, dilation: Expr) -> Expr:
    """How many pixels a window covers from its first tap to its last."""
    return apply("add", apply("mul", dilation, apply("sub", kernel, 1)), 1)


OPERATORS = (Pool(), MaxPool())
