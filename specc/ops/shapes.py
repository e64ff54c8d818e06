"""Shape arithmetic and shape rules that several operators share."""

from __future__ import annotations

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Segment, Tensor
from specc.ir.operator import OpCall

KERNEL_TOO_LARGE = Rule(
    "E401",
    "kernel-too-large",
    "a kernel does not fit into its padded input",
    "A window must fit into the feature map it slides over, padding included, at every resolution the spec allows.\n"
    "Wrong:  input image(3, 4, 4) ... conv(8, kernel=7, padding=0)\n"
    "Right:  conv(8, kernel=3, padding=0), or a larger input.",
)
NEEDS_IMAGE = Rule(
    "E402",
    "needs-feature-map",
    "an operator on feature maps stands where only a vector arrives",
    "Convolutions, pooling and batch norm of maps need height and width; after a global pool or flatten there "
    "is none.\n"
    "Wrong:  pool(avg); conv(64, kernel=3)\n"
    "Right:  conv(64, kernel=3); pool(avg)",
)
NEEDS_VECTOR = Rule(
    "E403",
    "needs-vector",
    "a linear layer stands where a feature map arrives",
    "`linear` takes a vector. Pool over the whole map, or flatten it, first.\n"
    "Wrong:  conv(64, kernel=3); linear(classes)\n"
    "Right:  conv(64, kernel=3); pool(avg); linear(classes)",
)


def require_map(call: OpCall, name: str) -> Tensor:
    """The only input, reported unless it has height and width."""
    tensor = call.inputs[0]
    if not tensor.space:
        call.report(
            NEEDS_IMAGE,
            f"{name} needs a feature map, but a vector of {call.maximum(tensor.features)} features arrives here",
            help="move it before the global pool or the flatten",
        )
    return tensor


def windowed(call: OpCall, size: Expr, kernel: Expr, stride: int, padding: Expr, dilation: int = 1) -> Expr:
    """The number of window positions along one axis: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride)
    + 1.

    The slack, 2 padding - dilation (kernel - 1), is 0 for every odd kernel under its own padding, elastic or not.
    """
    slack = apply("sub", apply("mul", 2, padding), apply("mul", dilation, apply("sub", kernel, 1)))
    slack = call.folded(slack)
    if stride == 1:
        return apply("add", size, slack)
    room = apply("add", size, apply("sub", slack, 1))
    return apply("add", apply("floor", apply("div", room, stride)), 1)


def same_padding(kernel: Expr, dilation: int = 1) -> Expr:
    """The padding that keeps a map's size at stride 1 for an odd kernel; (kernel - 1) // 2 of an even one."""
    return apply("floor", apply("div", apply("mul", dilation, apply("sub", kernel, 1)), 2))


def window_space(
    call: OpCall, space: tuple[Expr, ...], kernel: Expr, stride: int, padding: Expr, dilation: int = 1
) -> tuple[Expr, ...]:
    """The height and width after a sliding window, reported where the window does not fit even the largest input."""
    reach = dilation * (call.maximum(kernel) - 1) + 1
    for size in space:
        padded = call.maximum(size) + 2 * call.maximum(padding)
        if reach > padded:
            call.report(
                KERNEL_TOO_LARGE,
                f"a window of {reach} does not fit into {call.maximum(size)} + 2 x {call.maximum(padding)} pixels",
                at="kernel",
                help=f"use a kernel of at most {padded}, or downscale less before it",
            )
            return space
    done = {size: windowed(call, size, kernel, stride, padding, dilation) for size in dict.fromkeys(space)}
    return tuple(done[size] for size in space)


def one(size: Expr) -> tuple[Segment, ...]:
    """Channels that are cut as one run."""
    return (Segment(size),)


def product(*factors: Expr) -> Expr:
    total: Expr = 1
    for factor in factors:
        total = apply("mul", total, factor)
    return total
