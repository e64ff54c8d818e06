"""What each layer costs, as products of sizes: the rows that a project's `space.py` shows, before they are text.

The rows of one call of a block are a unit. Units of one block with the same rows become one function, whose sizes are
vectors: one expression for each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from specc.activity.diagrams import Node
from specc.activity.symbols import Poly, Symbols, multiply
from specc.cost.totals import OpCost, costs_of, volume
from specc.frozen import frozen
from specc.ir.expr import Apply, Expr, Var
from specc.ir.graph import Graph, Op, Scope, Tensor
from specc.ir.operator import Weight
from specc.ir.window import SIDES

Product: TypeAlias = tuple[Expr, ...]
"""Factors, as they stand in the shapes of weights and maps."""


@frozen
class Row:
    """One operation that costs something, as sums of products.

    window  the sizes of its first weight: the rows of its matrix, the columns, and the kernel where it has one
    places  how many factors at the end of `macs` say how often each weight is used: the height and width of the output
    """

    op: Op
    macs: tuple[Product, ...]
    params: tuple[Product, ...]
    window: Product
    places: int
    node: Node

    @property
    def name(self) -> str:
        return self.op.name


@frozen
class Unit:
    """The rows of a block's call, or a row that stands in none (`block` is empty, then).

    `sizes` are the expressions that a reader has names for: what comes in and goes out, and the block's arguments.
    """

    path: str
    block: str
    rows: tuple[Row, ...]
    sizes: Mapping[str, Expr]

    @property
    def node(self) -> Node:
        return self.rows[0].node

    def shape(self) -> tuple[object, ...]:
        """What units must agree in to become one function."""
        return self.block, *(
            (row.name[len(self.path) :], row.op.kind, *map(len, row.macs), "", *map(len, row.params))
            for row in self.rows
        )


def units_of(graph: Graph) -> Iterator[Unit]:
    """The units of a graph, in the order of execution. A block in which something may be missing is no unit: its rows
    stand by themselves."""
    blocks = outermost_blocks(graph.root)
    waiting: list[Row] = []
    for row in rows_of(graph):
        if waiting and blocks.get(waiting[0].name) is not blocks.get(row.name):
            yield from unit(graph, blocks.get(waiting[0].name), waiting)
            waiting = []
        waiting.append(row)
    if waiting:
        yield from unit(graph, blocks.get(waiting[0].name), waiting)


def unit(graph: Graph, block: Scope | None, rows: Sequence[Row]) -> Iterator[Unit]:
    if block is None or len({row.node for row in rows}) > 1:
        yield from (Unit(row.name, "", (row,), {}) for row in rows)
        return
    tensors = graph.tensor_table()
    first = tensors[rows[0].op.inputs[0]]
    last = tensors[rows[-1].op.output]
    arguments = {name: value for name, value in arguments_of(block) if is_size(value)}
    came, went = spaces(first), spaces(last)
    sizes: dict[str, Expr] = {"in_": first.features, **arguments, "out": last.features}
    sizes |= {f"{name}_in": size for name, size in came.items()} | {f"{name}_out": size for name, size in went.items()}
    yield Unit(block.path, block.block, tuple(rows), sizes)


def arguments_of(block: Scope) -> Iterator[tuple[str, Expr]]:
    """What a block is called with; of a pair each number, as `kernel_height` and `kernel_width`."""
    for name, value in block.args:
        if isinstance(value, tuple):
            yield from ((f"{name}_{side}", number) for side, number in zip(SIDES, value, strict=True))
        else:
            yield name, value


def is_size(value: object) -> bool:
    return isinstance(value, (int, Fraction, Var, Apply)) and not isinstance(value, bool)


def spaces(tensor: Tensor) -> dict[str, Expr]:
    """The sizes of a map or of tokens by what they are called."""
    if len(tensor.space) == 2 and tensor.space[0] == tensor.space[1]:
        return {"size": tensor.space[0]}
    return dict(zip(("height", "width") if len(tensor.space) == 2 else ("tokens",), tensor.space, strict=False))


def outermost_blocks(root: Scope) -> dict[str, Scope]:
    """For every operation inside a block that block, the outermost of several."""
    found: dict[str, Scope] = {}
    for scope in root.scopes():
        if scope.kind == "block":
            for op in scope.ops():
                found.setdefault(op, scope)
    return found


def rows_of(graph: Graph) -> Iterator[Row]:
    """The operations that cost anything."""
    costs, tensors = costs_of(graph), graph.tensor_table()
    for op, share, node in zip(graph.ops, costs.ops, costs.presence.present, strict=True):
        if share.macs or share.params:
            inputs, outputs = [tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs]
            weights = op.operator.weights(op, inputs, outputs)
            macs = op.operator.macs(op, inputs, outputs)
            said = op.operator.products(op, inputs, outputs)
            params = tuple(weight.active for weight in weights if 0 not in weight.active)
            window = weights[0].active if weights else ()
            space = outputs[0].space
            found = said or multiplications(costs.presence.symbols, share, weights, macs, space)
            places = len(space) if found == ((*window, *space),) else 0
            yield Row(op, found, params, window, places, node)


def multiplications(
    symbols: Symbols, share: OpCost, weights: Sequence[Weight], macs: Expr, space: tuple[Expr, ...]
) -> tuple[Product, ...]:
    """The MACs as products: the first weight's size times the places of the output, where each of its numbers is used
    once at each of them; otherwise the operator's own sum."""
    if not share.macs:
        return ()
    once: Poly = volume(symbols, weights[0].active) if weights else {}
    if multiply(once, volume(symbols, space)) == share.macs:
        return ((*weights[0].active, *space),)
    return tuple(summands(macs))


def summands(expr: Expr) -> Iterator[Product]:
    """A sum of products by its parts."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Apply) and part.function == "add":
            waiting.extend(reversed(part.args))
        else:
            yield tuple(factors(part))


def factors(expr: Expr) -> Iterator[Expr]:
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Apply) and part.function == "mul":
            waiting.extend(reversed(part.args))
        else:
            yield part
