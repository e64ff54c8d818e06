"""ATen operators that compute nothing: their results are views of what they read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from specc.traced.graph import Node, Ref
from specc.traced.products import letters
from specc.traced.views import Axis, Digit, View, expanded, permuted, picked, reshaped, strided, unknown

if TYPE_CHECKING:
    from specc.importing.recognise import Recognition

RESHAPES: Final = (
    "aten.view",
    "aten.reshape",
    "aten._unsafe_view",
    "aten.flatten",
    "aten.unflatten",
    "aten.squeeze",
    "aten.unsqueeze",
    "aten.view_as",
    "aten.reshape_as",
)
IDENTITY: Final = (
    "aten.contiguous",
    "aten.clone",
    "aten.alias",
    "aten.detach",
    "aten.lift_fresh",
    "aten.lift_fresh_copy",
    "aten._assert_tensor_metadata",
)
PADS: Final = ("aten.pad", "aten.constant_pad_nd")
CASTS: Final = ("aten.to", "aten._to_copy", "aten.type_as", "aten.float")
PARTS: Final = ("aten.chunk", "aten.split", "aten.split_with_sizes", "aten.unbind", "aten.tensor_split")
CUTS: Final = ("aten.select", "aten.slice", "aten.narrow")
POINTWISE: Final = (
    "aten.mul",
    "aten.add",
    "aten.sub",
    "aten.div",
    "aten.rsub",
    "aten.neg",
    "aten.pow",
    "aten.sqrt",
    "aten.rsqrt",
    "aten.exp",
    "aten.abs",
    "aten.softmax",
    "aten.sigmoid",
    "aten.tanh",
    "aten.relu",
    "aten.gelu",
    "aten.silu",
    "aten.dropout",
    "aten.clamp",
    "aten.erf",
    "aten.masked_fill",
    "aten.softplus",
    "aten.log",
    "aten.log_softmax",
    "aten.hardtanh",
    "aten.clamp_min",
    "aten.layer_norm",
    "aten.rms_norm",
)
"""What keeps the order of elements, so that its result lies as its first operand does."""


ROLLS: Final = ("aten.roll",)
"""What moves elements along axes that stay what they are."""

PRODUCTS: Final[Mapping[str, tuple[str, str]]] = {
    "aten.matmul": ("self", "other"),
    "aten.bmm": ("self", "mat2"),
    "aten.scaled_dot_product_attention": ("query", "value"),
}
"""Products of matrices: what reads rows of the first and columns of the second."""


def lies_like(node: Node, seen: Recognition) -> tuple[Axis, ...]:
    """How the result of a node that nobody knows lies: as far as its operands say, by their axes."""
    axes: tuple[Axis, ...] | None = None
    if node.target in PRODUCTS:
        first, second = (seen.view(node[name]) for name in PRODUCTS[node.target])
        if first is not None and second is not None and len(first.axes) == len(second.axes) == len(node.shape):
            axes = (*first.axes[:-1], second.axes[-1])
    elif node.target == "aten.einsum":
        axes = summed(node, seen)
    elif node.target == "aten.linear":
        axes = other_channels(seen.view(node["input"]), node.shape[-1])
    elif node.target in PADS:
        axes = bordered(seen.view(next(iter(node.args.values()))), node.shape)
    elif node.target in ROLLS:
        view = seen.view(node["self"])
        axes = None if view is None else view.axes
    if axes is not None and View("", axes).shape == node.shape:
        return axes
    if node.target in POINTWISE:
        for argument in node.args.values():
            view = seen.view(argument)
            if view is not None and view.shape == node.shape:
                return view.axes
    return unknown(node.shape)


def summed(node: Node, seen: Recognition) -> tuple[Axis, ...] | None:
    """The axes of `einsum`'s result: each is that of the first operand which has its letter."""
    named = letters(node)
    if named is None:
        return None
    operands, result = named
    found: dict[str, Axis] = {}
    for word, argument in zip(operands, cast("tuple[object, ...]", node["tensors"]), strict=True):
        view = seen.view(argument)
        if view is None or len(view.axes) != len(word):
            return None
        for letter, axis in zip(word, view.axes, strict=True):
            found.setdefault(letter, axis)
    return tuple(found[letter] for letter in result)


def other_channels(view: View | None, channels: int) -> tuple[Axis, ...] | None:
    """The axes of a view whose last one became others; None where channels lie elsewhere, too."""
    if view is None or any(digit.axis == "c" for axis in view.axes[:-1] for digit in axis):
        return None
    return (*view.axes[:-1], (Digit("c", 1, channels),) if channels != 1 else ())


def bordered(view: View | None, shape: tuple[int, ...]) -> tuple[Axis, ...] | None:
    """The axes of a view that were made longer, each a whole axis of what it looks at."""
    if view is None or len(view.axes) != len(shape) or any(len(axis) > 1 for axis in view.axes):
        return None
    axes = zip(view.axes, view.shape, shape, strict=True)
    if any(old != new and (not axis or axis[0].low != 1) for axis, old, new in axes):
        return None
    return tuple(
        axis if old == new else (Digit(axis[0].axis, 1, new),)
        for axis, old, new in zip(view.axes, view.shape, shape, strict=True)
    )


def view_of(node: Node, seen: Recognition) -> View | None:
    """The view that a node is; None for one that computes, or cuts across what lies together."""
    if node.target == "item":
        return item(node, seen)
    view = seen.view(node["self"])
    if view is None:
        return None
    if node.target in RESHAPES:
        return reshaped(view, node.shape)
    if node.target in IDENTITY or (node.target in PADS and borderless(node)):
        return view
    if node.target in CUTS and len(view.axes[axis_of(node, view)]) > 1:
        view = settled(view, seen)
    if node.target in CASTS:
        before = seen.nodes[cast(Ref, node["self"]).name]
        return view if before.dtype == node.dtype else None
    return placed(node, view)


def cut_of(node: Node, seen: Recognition) -> View | None:
    """The part of an axis that a node is, looked at before its turn; None for what cuts nothing that is known."""
    if node.target == "item":
        whole = seen.nodes[cast(Ref, node["self"]).name]
        view = seen.view(whole["self"]) if whole.target in PARTS else None
        return item(node, seen) if view is not None and len(view.axes[axis_of(whole, view)]) == 1 else None
    view = seen.view(node["self"]) if node.target in CUTS else None
    return placed(node, view) if view is not None and len(view.axes[axis_of(node, view)]) == 1 else None


def borderless(node: Node) -> bool:
    """Whether what pads a tensor adds nothing: its second argument has the sizes of all borders."""
    sizes = [*node.args.values()][1]
    return isinstance(sizes, tuple) and not any(sizes)


def axis_of(node: Node, view: View) -> int:
    dim = node["dim"]
    return dim % len(view.axes) if isinstance(dim, int) else 0


def settled(view: View, seen: Recognition) -> View:
    """A view that is about to be cut along an axis that counts several things, as a tensor of its own if it can be:
    shuffled channels are shuffled before they are split."""
    read = seen.read(view)
    return view if read is None else read.view


def placed(node: Node, view: View) -> View | None:
    """Permutations, expansions and cuts."""
    rank = len(view.axes)
    order = list(range(rank))
    match node.target:
        case "aten.permute":
            return permuted(view, tuple(i % rank for i in node.ints("dims")))
        case "aten.transpose" | "aten.swapaxes" | "aten.swapdims":
            first, second = (cast(int, value) for name, value in node.args.items() if name != "self")
            order[first % rank], order[second % rank] = order[second % rank], order[first % rank]
            return permuted(view, tuple(order))
        case "aten.t" | "aten.numpy_T":
            return permuted(view, tuple(reversed(order)))
        case "aten.mT":
            return permuted(view, (*order[:-2], order[-1], order[-2]))
        case "aten.movedim":
            sources, targets = (node.ints(name) for name in ("source", "destination"))
            left = [i for i in order if i not in {s % rank for s in sources}]
            for target, source in sorted((t % rank, s % rank) for s, t in zip(sources, targets, strict=True)):
                left.insert(target, source)
            return permuted(view, tuple(left))
        case "aten.expand" | "aten.expand_as" | "aten.broadcast_to":
            return expanded(view, node.shape)
        case "aten.select":
            axis, at = cast(int, node["dim"]) % rank, cast(int, node["index"])
            return picked(view, axis, at % view.shape[axis], 1, keep=False)
        case "aten.slice":
            return sliced(node, view)
        case "aten.narrow":
            axis, start = cast(int, node["dim"]) % rank, cast(int, node["start"])
            return picked(view, axis, start % view.shape[axis], cast(int, node["length"]), keep=True)
    return None


def sliced(node: Node, view: View) -> View | None:
    axis = cast(int, node["dim"]) % len(view.axes)
    size = view.shape[axis]
    start, end, step = (cast("int | None", node[name]) for name in ("start", "end", "step"))
    if isinstance(step, int) and step > 1:
        return strided(view, axis, start or 0, step) if end is None or end >= size else None
    begin, stop, _ = slice(start, end).indices(size)
    return picked(view, axis, begin, stop - begin, keep=True) if stop > begin else None


def item(node: Node, seen: Recognition) -> View | None:
    """One result of a node with several: a part of what was cut, or the first of another."""
    whole = seen.nodes[cast(Ref, node["self"]).name]
    at = cast(int, node["index"])
    view = seen.view(whole["self"])
    if whole.target not in PARTS:
        return seen.views[whole.name] if at == 0 and whole.name in seen.views else None
    if view is None:
        return None
    axis = axis_of(whole, view)
    if len(view.axes[axis]) > 1:
        view = settled(view, seen)
    if whole.target == "aten.unbind":
        return picked(view, axis, at, 1, keep=False)
    sizes = [shape[axis] for shape in whole.shapes]
    return picked(view, axis, sum(sizes[:at]), sizes[at], keep=True)
