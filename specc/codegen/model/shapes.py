"""Comments about shapes: `[N, hidden, H/2, W/2]` in a block, `[N, 64, 4, 4]` where a part stands once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from specc.codegen.model.sizes import peaks
from specc.codegen.model.structure import OpEntry, Part, Structure, is_repeated
from specc.ir.expr import Option
from specc.ir.graph import Tensor

if TYPE_CHECKING:
    from specc.codegen.model.context import Class

SILENT = frozenset(("batch_norm", "dropout"))


def shape_comment(
    structure: Structure, cls: Class, column: Sequence[OpEntry | Part], largest: Mapping[str, Option]
) -> str:
    """The shape of what a layer or part puts out, where it differs from what it takes; "" where that is hard to say.

    `column` is the entry at every instance. Numbers are those of the largest sub-network.
    """
    if isinstance(column[0], OpEntry) and column[0].op.kind in SILENT:
        return ""
    pairs = [ends(structure, entry) for entry in column]
    shapes = [tuple(peaks(tensor.shape, largest) for tensor in pair) for pair in pairs if pair is not None]
    if len(shapes) != len(column) or all(before == after for before, after in shapes):
        return ""
    if not is_repeated(cls.first.scope):
        return f"[N, {', '.join(map(str, shapes[0][1]))}]"
    return block_shape(structure, cls, [pair[1] for pair in pairs if pair is not None], largest)


def ends(structure: Structure, entry: OpEntry | Part) -> tuple[Tensor, Tensor] | None:
    """The tensor that goes in and the one that comes out, where there is one of each."""
    at = entry.op if isinstance(entry, OpEntry) else entry
    inputs, outputs = at.inputs, at.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        return None
    return structure.tensors[inputs[0]], structure.tensors[outputs[0]]


def block_shape(structure: Structure, cls: Class, after: Sequence[Tensor], largest: Mapping[str, Option]) -> str:
    """A shape in a block's own names: its channel parameter, and height and width as parts of the incoming ones."""
    names = {**(cls.active.names if cls.active else {}), **(cls.init.names if cls.init else {})}
    channels = names.get(("channels", tuple(tensor.features for tensor in after)))
    if channels is None or not cls.first.inputs:
        return ""
    entering = [peaks(structure.tensors[part.inputs[0]].space, largest) for part in cls.parts]
    leaving = [peaks(tensor.space, largest) for tensor in after]
    if len(leaving[0]) < 2:
        return f"[N, T, {channels}]" if leaving[0] else f"[N, {channels}]"
    for factor in (1, 2, 4, 8):
        if all(divided(before, factor) == size for before, size in zip(entering, leaving)):
            part = "" if factor == 1 else f"/{factor}"
            return f"[N, {channels}, H{part}, W{part}]"
    return ""


def divided(space: tuple[Option, ...], factor: int) -> tuple[Option, ...]:
    """Height and width divided, rounded up as strides do."""
    return tuple(-(-size // factor) if isinstance(size, int) else size for size in space)
