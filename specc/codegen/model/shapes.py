"""Comments about shapes: `[N, hidden, H/2, W/2]` in a block, `[N, 64, 4, 4]` where a part stands once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from specc.codegen.model.merge import Place
from specc.codegen.model.sizes import BlockSizes
from specc.codegen.model.structure import OpEntry, Structure, is_repeated
from specc.ir.expr import Apply, Expr, Option, Var, evaluate
from specc.ir.graph import Tensor
from specc.ops.writing import channel_values

if TYPE_CHECKING:
    from specc.codegen.model.context import Class


def peaks(values: Sequence[Expr], largest: Mapping[str, Option]) -> tuple[Option, ...]:
    """The numbers at the largest sub-network."""
    return tuple(evaluate(v, largest) if isinstance(v, (Var, Apply)) else v for v in values)


def shape_comment(structure: Structure, cls: Class, place: Place, largest: Mapping[str, Option]) -> str:
    """The shape of what a layer or part puts out, where it differs from what it takes; "" where that is hard to say.

    Numbers are those of the largest sub-network.
    """
    first = place.first
    if isinstance(first, OpEntry) and first.op.operator.silent:
        return ""
    tensors = structure.tensors
    joins = isinstance(first, OpEntry) and len(first.inputs) > 1 and not is_repeated(cls.first.scope)
    if (len(first.inputs) != 1 and not joins) or len(first.outputs) != 1:
        return ""
    entries = [entry for entry in place.column if entry is not None]
    pairs = [(tensors[e.inputs[0]], tensors[e.outputs[0]]) for e in entries]
    shapes = [tuple(peaks(tensor.shape, largest) for tensor in pair) for pair in pairs]
    if all(before == after for before, after in shapes):
        return ""
    if not is_repeated(cls.first.scope):
        return f"[N, {', '.join(map(str, shapes[0][1]))}]"
    return block_shape(structure, cls, place, [after for _, after in pairs], largest)


def block_shape(
    structure: Structure, cls: Class, place: Place, after: Sequence[Tensor], largest: Mapping[str, Option]
) -> str:
    """A shape in a block's own names: its channels, and height and width as parts of the incoming ones."""
    sizes = cls.sizes
    if not isinstance(sizes, BlockSizes) or not cls.first.inputs:
        return ""
    given = iter(channel_values(after))
    text = sizes.lookup("channels", tuple(None if entry is None else next(given) for entry in place.column))
    if text is None:
        return ""
    channels = text[0]
    there = [part for part, entry in zip(cls.merged.parts, place.column, strict=True) if entry is not None]
    entering = [peaks(structure.tensors[part.inputs[0]].space, largest) for part in there]
    leaving = [peaks(tensor.space, largest) for tensor in after]
    if len(leaving[0]) < 2:
        return f"[N, T, {channels}]" if leaving[0] else f"[N, {channels}]"
    for factor in (1, 2, 4, 8):
        if all(divided(before, factor) == size for before, size in zip(entering, leaving, strict=True)):
            part = "" if factor == 1 else f"/{factor}"
            return f"[N, {channels}, H{part}, W{part}]"
    if all(size in (before, divided(before, 2)) for before, size in zip(entering, leaving, strict=True)):
        return f"[N, {channels}, H', W']"
    return ""


def divided(space: tuple[Option, ...], factor: int) -> tuple[Option, ...]:
    """Height and width divided, rounded up as strides do."""
    return tuple(-(-size // factor) if isinstance(size, int) else size for size in space)
