"""Shape arithmetic and shape rules that several operators share."""

from __future__ import annotations

from functools import lru_cache

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Segment, Tensor
from specc.ir.operator import OpCall, Sizes
from specc.ir.window import Window, sides, window_of

KERNEL_TOO_LARGE = Rule(
    "E401",
    "kernel-too-large",
    "a kernel does not fit into its padded input",
    "A window must fit into the feature map it slides over, padding included, at every resolution the spec allows.\n"
    "Wrong:  input image(3, 4, 4) ... conv(8, kernel=7, padding=0)\n"
    "Right:  conv(8, kernel=3, padding=0), or a larger input.",
)
EVEN_KERNEL = Rule(
    "E324",
    "elastic-even-kernel",
    "an elastic kernel has an even option",
    "Smaller kernels are the centres of larger ones, so all options are odd.\n"
    "Wrong:  conv(64, kernel={2, 3})\n"
    "Right:  conv(64, kernel={3, 5, 7})",
)
NEEDS_IMAGE = Rule(
    "E402",
    "needs-feature-map",
    "an operator on feature maps gets a vector or tokens",
    "Convolutions and pools need height and width; after a global pool, a flatten or a patch embedding there is "
    "none.\n"
    "Wrong:  pool(avg); conv(64, kernel=3)\n"
    "Right:  conv(64, kernel=3); pool(avg)",
)
NEEDS_VECTOR = Rule(
    "E403",
    "needs-vector",
    "a linear layer gets a feature map",
    "`linear` takes a vector, or tokens one by one. Pool over the whole map, or flatten it, first.\n"
    "Wrong:  conv(64, kernel=3); linear(classes)\n"
    "Right:  conv(64, kernel=3); pool(avg); linear(classes)",
)
NEEDS_TOKENS = Rule(
    "E431",
    "needs-tokens",
    "an operator on tokens gets a feature map or a vector",
    "Class tokens, positions and `take` work on tokens, which `patch_embed` or `to_tokens` makes of an image or map.\n"
    "Wrong:  conv(64, kernel=3); position\n"
    "Right:  patch_embed(4, dim=64); position",
)
NORM_OF_TOKENS = Rule(
    "E437",
    "norm-of-tokens",
    "a norm over images or pixels gets tokens",
    "Batch norm and group norm are for feature maps and vectors; tokens are normalised one by one, by a layer norm.\n"
    "Wrong:  norm batch ... patch_embed(16, dim=768); norm\n"
    "Right:  norm layer(eps=1e-6) ... patch_embed(16, dim=768); norm",
)
GROUPS_DIVIDE = Rule(
    "E404",
    "groups-do-not-divide",
    "the groups of a convolution or a group norm do not divide its channels",
    "`groups=g` splits the channels into g equal parts - a convolution's input and output channels both - so g must\n"
    "divide them, and each part of a concatenation of elastic tensors.\n"
    "Wrong:  conv(64, kernel=3, groups=12)\n"
    "Right:  conv(64, kernel=3, groups=16)",
)

FEW_TENSORS = Rule(
    "E409",
    "few-tensors",
    "an operator that joins tensors is given fewer than two",
    "`add` and `concat` take all tensors that they join, by name, as `here` or as calls.\n"
    "Wrong:  concat(conv(16, kernel=3))\n"
    "Right:  concat(here, conv(16, kernel=3))",
)


def require_map(call: OpCall, name: str) -> Tensor:
    """The only input, reported unless it has height and width."""
    tensor = call.inputs[0]
    if len(tensor.space) != 2:
        call.report(
            NEEDS_IMAGE,
            f"{name} needs a feature map, but {described(call, tensor)} here",
            help=f"move it before the {'patch embedding' if tensor.space else 'global pool or the flatten'}",
        )
    return tensor


def require_tokens(call: OpCall, name: str) -> Tensor:
    """The only input, reported unless it is a row of tokens."""
    tensor = call.inputs[0]
    if len(tensor.space) != 1:
        call.report(
            NEEDS_TOKENS,
            f"{name} needs tokens, but {described(call, tensor)} here",
            help="put `patch_embed(size, dim)` before it" if tensor.space else "move it before the vector is made",
        )
    return tensor


def refuse_tokens(call: OpCall, name: str) -> Tensor:
    """The only input, reported if it is a row of tokens."""
    tensor = call.inputs[0]
    if len(tensor.space) == 1:
        message = f"{name} can't normalise tokens, but {described(call, tensor)} here"
        call.report(NORM_OF_TOKENS, message, help="set `norm layer` around the tokens")
    return tensor


def require_several(call: OpCall, name: str) -> None:
    """Reports a call that joins fewer than two tensors."""
    if len(call.inputs) < 2:
        message = f"{name} takes two tensors or more, and {len(call.inputs) or 'none'} is given"
        call.report(FEW_TENSORS, message, help="the incoming tensor is `here`")


def described(call: OpCall, tensor: Tensor) -> str:
    """What arrives, for messages: `a vector of 64 features arrives`."""
    channels = call.maximum(tensor.features)
    match len(tensor.space):
        case 0:
            return f"a vector of {channels} features arrives"
        case 1:
            return f"{call.maximum(tensor.space[0])} tokens of {channels} features arrive"
    return f"a map of {channels} channels arrives"


def windowed(call: OpCall, size: Expr, kernel: Expr, stride: Expr, padding: Expr, dilation: Expr = 1) -> Expr:
    """The number of window positions along one axis: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride)
    + 1.

    The slack, 2 padding - dilation (kernel - 1), is 0 for every odd kernel under its own padding, elastic or not.
    """
    slack = call.folded(slack_of(kernel, padding, dilation))
    if stride == 1:
        return apply("add", size, slack)
    room = apply("add", size, apply("sub", slack, 1))
    return apply("add", apply("floor", apply("div", room, stride)), 1)


@lru_cache(maxsize=256)
def slack_of(kernel: Expr, padding: Expr, dilation: Expr) -> Expr:
    return apply("sub", apply("mul", 2, padding), apply("mul", dilation, apply("sub", kernel, 1)))


def same_padding(kernel: Window, dilation: Window = 1) -> Window:
    """The padding that keeps a map's size at stride 1 for an odd kernel; (kernel - 1) // 2 of an even one."""
    if isinstance(kernel, tuple) or isinstance(dilation, tuple):
        return window_of(*map(same_border, sides(kernel), sides(dilation)))
    return same_border(kernel, dilation)


@lru_cache(maxsize=256)
def same_border(kernel: Expr, dilation: Expr) -> Expr:
    """`same_padding` along one axis."""
    return apply("floor", apply("div", apply("mul", dilation, apply("sub", kernel, 1)), 2))


def window_space(
    call: OpCall,
    space: tuple[Expr, ...],
    kernel: Window,
    stride: Window,
    padding: Window,
    dilation: Window = 1,
) -> tuple[Expr, ...]:
    """The height and width after a sliding window, reported where the window does not fit even the largest input."""
    axes = list(zip(space, sides(kernel), sides(stride), sides(padding), sides(dilation), strict=False))
    for size, taps, _, border, apart in axes:
        reach = call.maximum(apart) * (call.maximum(taps) - 1) + 1
        padded = call.maximum(size) + 2 * call.maximum(border)
        if reach > padded:
            call.report(
                KERNEL_TOO_LARGE,
                f"a window of {reach} does not fit into {call.maximum(size)} + 2 x {call.maximum(border)} pixels",
                at="kernel",
                help=f"use a kernel of at most {padded}, or downscale less before it",
            )
            return space
    done = {axis: windowed(call, *axis) for axis in dict.fromkeys(axes)}
    found = tuple(done[axis] for axis in axes)
    return space if all(new is old for new, old in zip(found, space, strict=False)) else found


def one(size: Expr) -> tuple[Segment, ...]:
    """Channels that are cut as one run."""
    return (Segment(size),)


def product(*factors: Expr) -> Expr:
    total: Expr = 1
    for factor in factors:
        total = apply("mul", total, factor)
    return total


def window_label(kernel: Window, stride: Window, sizes: Sizes) -> str:
    """A window in a picture: `3×3`, `3–7/2` where it is elastic and moves by 2, `3×9/2×1` where it is not square."""
    if isinstance(kernel, tuple):
        label = "×".join(map(sizes.range, kernel))
    else:
        size = sizes.range(kernel)
        label = size if "–" in size else f"{size}×{size}"
    if stride == 1:
        return label
    return f"{label}/{'×'.join(map(str, stride)) if isinstance(stride, tuple) else stride}"
