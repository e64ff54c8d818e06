"""The graph cut into cells: the stem, the stages and the heads, the blocks in them, the conditions around these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from specc.frozen import frozen
from specc.ir.expr import Expr, free
from specc.ir.graph import Graph, Op, Scope

LARGE = 96
"""Operations of a block beyond which its parts are drawn instead of itself."""
LONG = 8
"""Operations with a chip of their own in a run beyond which every one is a cell of its own."""


@frozen
class Region:
    """A condition around some cells: what it adds to the conditions around it."""

    guard: Expr


@dataclass(slots=True, eq=False)
class RawCell:
    """The operations of a cell, in order. `scope` is the block, None for a run of operations."""

    scope: Scope | None
    regions: tuple[Region, ...]
    ops: list[Op] = field(default_factory=list)

    @property
    def guard(self) -> Expr:
        """The condition under which most of it is present."""
        return Counter(op.guard for op in self.ops).most_common(1)[0][0]


@frozen
class RawLane:
    """The cells of the stem, a stage or a head."""

    scope: Scope
    cells: tuple[RawCell, ...]


def lanes(graph: Graph) -> tuple[RawLane, ...]:
    """Every operation in the lane it stands in; what stands outside of all of them is a lane of the whole network."""
    ops = {op.name: op for op in graph.ops}
    found: list[RawLane] = []
    loose: list[str | Scope] = []

    def flush() -> None:
        cells = cut(tuple(loose), ops)
        if cells:
            found.append(RawLane(graph.root, cells))
        loose.clear()

    exits = frozenset(choice.name for choice in graph.choices if choice.kind == "exit")
    for item in through(graph.root, exits):
        if isinstance(item, Scope) and item.kind in ("stem", "stage", "head", "exit"):
            flush()
            cells = cut(tuple(through(item, exits)), ops)
            if cells:
                found.append(RawLane(item, cells))
        else:
            loose.append(item)
    flush()
    return tuple(found)


def through(scope: Scope, exits: frozenset[str]) -> Iterator[str | Scope]:
    """The items of a scope, with those behind its exits as if no exit were there."""
    for item in scope.items:
        if isinstance(item, Scope) and item.kind == "region" and free(item.guard) and free(item.guard) <= exits:
            yield from through(item, exits)
        else:
            yield item


def cut(items: tuple[str | Scope, ...], ops: Mapping[str, Op]) -> tuple[RawCell, ...]:
    """The cells of a lane. A select between cells is no cell: it is where a way around them ends."""
    cells: list[RawCell] = []
    open_run: RawCell | None = None
    stack: list[tuple[str | Scope, tuple[Region, ...]]] = [(item, ()) for item in reversed(items)]
    while stack:
        item, regions = stack.pop()
        if isinstance(item, str):
            op = ops.get(item)
            if op is None or op.operator.selects:
                continue
            if open_run is None or open_run.regions != regions:
                open_run = RawCell(None, regions)
                cells.append(open_run)
            open_run.ops.append(op)
            continue
        if item.kind in ("block", "exit") and len(inside := operations(item, ops)) <= LARGE:
            open_run = None
            if inside:
                cells.append(RawCell(item, regions, inside))
            continue
        if item.kind == "region" and item.guard != 1:
            regions = (*regions, Region(item.guard))
        stack.extend((inner, regions) for inner in reversed(item.items))
    return tuple(cells)


def operations(scope: Scope, ops: Mapping[str, Op]) -> list[Op]:
    """All operations of a scope in order; at least `LARGE` + 1 of them where it has more."""
    found: list[Op] = []
    stack: list[str | Scope] = [scope]
    while stack and len(found) <= LARGE:
        item = stack.pop()
        if isinstance(item, str):
            if item in ops:
                found.append(ops[item])
        else:
            stack.extend(reversed(item.items))
    return found
