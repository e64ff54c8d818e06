"""The operations of a cell as chips: norms, activations and the like belong to the operation they stand beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specc.frozen import frozen
from specc.ir.expr import Expr
from specc.ir.graph import Graph, Op, Tensor
from specc.picture.cells import RawCell
from specc.picture.view import ENTRY


@dataclass(slots=True, eq=False)
class RawChip:
    """Some operations that are drawn as one, named after `head`; `weak` until that is more than a norm."""

    head: Op
    weak: bool
    ops: list[Op] = field(default_factory=list)


@frozen
class Folded:
    """The chips of a cell. `sources` are the inputs of each: the place of a chip, `ENTRY`, or a tensor from elsewhere.

    `main` is the tensor that arrives at the cell, "" for none.
    """

    chips: tuple[RawChip, ...]
    sources: tuple[tuple[int | str, ...], ...]
    main: str


class Folder:
    """Folds the cells of one graph. `aliases` says with what a select goes on where all its conditions hold."""

    def __init__(self, graph: Graph) -> None:
        self.tensors = graph.tensor_table()
        self.readers: dict[str, int] = {output.tensor: 1 for output in graph.outputs if output.kind != "features"}
        self.aliases: dict[str, str] = {}
        for op in graph.ops:
            for name in dict.fromkeys(op.inputs):
                self.readers[name] = self.readers.get(name, 0) + 1
            if op.operator.selects:
                first = op.inputs[0]
                self.aliases[op.output] = self.aliases.get(first, first)

    def fold(self, cell: RawCell) -> Folded:
        chips: list[RawChip] = []
        writers: dict[str, int] = {}
        main = ""
        for op in cell.ops:
            before = [writers[name] for name in op.inputs if name in writers]
            only = before[0] if len(op.inputs) == len(before) == 1 else None
            if only is None and not main:
                main = next((name for name in op.inputs if name not in writers), "")
            if only is not None and self.belongs(op, chips[only]):
                chip = chips[only]
                if chip.weak and not self.is_weak(op):
                    chip.head, chip.weak = op, False
            else:
                only = len(chips)
                chip = RawChip(op, self.is_weak(op))
                chips.append(chip)
            chip.ops.append(op)
            writers.update(dict.fromkeys(op.outputs, only))
        sources = tuple(self.sources(chip, at, writers, main) for at, chip in enumerate(chips))
        return Folded(tuple(chips), sources, main)

    def belongs(self, op: Op, chip: RawChip) -> bool:
        """Whether an operation is drawn with the one before it: it is weak, or that is and nothing else reads it."""
        last = chip.ops[-1]
        if len(op.inputs) != 1 or op.guard != last.guard or op.inputs[0] not in last.outputs:
            return False
        return self.readers.get(op.inputs[0], 0) == 1 and (self.is_weak(op) or chip.weak)

    def is_weak(self, op: Op) -> bool:
        """Whether it keeps shapes and costs nothing, as norms and activations do."""
        if len(op.inputs) != 1 or len(op.outputs) != 1:
            return False
        before, after = self.tensors[op.inputs[0]], self.tensors[op.output]
        return same_shape(before, after) and self.macs(op) == 0

    def macs(self, op: Op) -> Expr:
        inputs, outputs = [self.tensors[name] for name in op.inputs], [self.tensors[name] for name in op.outputs]
        return op.operator.macs(op, inputs, outputs)

    def sources(self, chip: RawChip, at: int, writers: Mapping[str, int], main: str) -> tuple[int | str, ...]:
        """Where the inputs of a chip come from, each once."""
        found: dict[int | str, None] = {}
        for op in chip.ops:
            for name in op.inputs:
                place = writers.get(name)
                if place is None:
                    found[ENTRY if self.same(name, main) else self.aliases.get(name, name)] = None
                elif place != at:
                    found[place] = None
        return tuple(found)

    def same(self, name: str, other: str) -> bool:
        return name == other or self.aliases.get(name, name) == self.aliases.get(other, other)


def same_shape(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have equal shapes as they stand."""
    return (a.channels is b.channels or a.channels == b.channels) and a.space == b.space
