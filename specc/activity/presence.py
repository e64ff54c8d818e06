"""Which ops are present and which choices are active, as conditions on choices: an op is present if its guard holds and
a requested output depends on it; a choice is active iff something present reads it.

One sweep from the outputs back: a tensor is needed if a present op reads it, and an op is present where its guard holds
and a tensor it writes is needed. A `select` needs the input it goes on with, and reads its conditions in turn until one
holds; a guard is read where the op's output is needed; sizes, parameters and banks are read where the op is present.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from specc.activity.diagrams import FALSE, TRUE, Diagrams, Node, is_logical
from specc.activity.entangled import ENTANGLED, TooManyOptions, refused
from specc.activity.symbols import Symbols
from specc.frozen import frozen
from specc.ir.expr import Apply, Expr, Var
from specc.ir.graph import Graph, Op, Tensor


@frozen
class Presence:
    """When each op, by its place in the graph, is present, and when each choice, by its name, is active."""

    diagrams: Diagrams
    symbols: Symbols
    present: tuple[Node, ...]
    active: Mapping[str, Node]


def presence(graph: Graph) -> Presence:
    """The conditions of one graph whose widths are unified, with what a plain call returns requested.

    Coarser levels' classifiers and the ends of stages are by-products: only who asks for them has them.
    """
    diagrams = Diagrams(graph.choices)
    symbols = Symbols(diagrams)
    tensors = graph.tensor_table()
    active = {choice.name: FALSE for choice in graph.choices}
    read_by_shape: dict[str, tuple[Expr, ...]] = {name: tuple(shape_of(tensor)) for name, tensor in tensors.items()}
    needed = {graph.prediction(): TRUE}
    present: list[Node] = []
    for op in reversed(graph.ops):
        try:
            here = note_presence(symbols, needed, active, op)
            shapes = op.outputs if op.operator.selects else (*op.inputs, *op.outputs)
            for expr in (expr for name in dict.fromkeys(shapes) for expr in read_by_shape[name]):
                note_reads(symbols, active, expr, here)
            for expr in () if op.operator.selects else expressions(op.params):
                note_reads(symbols, active, expr, here)
            note_reads(symbols, active, op.bank.index, here)
        except TooManyOptions as error:
            raise refused(ENTANGLED, op.origin, str(error)) from None
        present.append(here)
    settled = {name: diagrams.ignoring(node, diagrams.index[name]) for name, node in active.items()}
    return Presence(diagrams, symbols, tuple(reversed(present)), settled)


def note_presence(symbols: Symbols, needed: dict[str, Node], active: dict[str, Node], op: Op) -> Node:
    """When an op is present. Adds to `needed` when it needs its inputs, to `active` what deciding that reads."""
    diagrams = symbols.diagrams
    wanted = FALSE
    for tensor in op.outputs:
        wanted = diagrams.either(wanted, needed.get(tensor, FALSE))
    note_reads(symbols, active, op.guard, wanted)
    here = rest = diagrams.both(wanted, diagrams.of(op.guard))
    for tensor, condition in zip(op.inputs, goes_on(op), strict=True):
        note_reads(symbols, active, condition, rest)
        holds = diagrams.of(condition)
        needed[tensor] = diagrams.either(needed.get(tensor, FALSE), diagrams.both(rest, holds))
        rest = diagrams.without(rest, holds) if op.operator.selects else rest
    return here


def goes_on(op: Op) -> tuple[Expr, ...]:
    """When an op reads each of its inputs: always, but for a select, which reads that of its first true condition."""
    if not op.operator.selects:
        return (1,) * len(op.inputs)
    conditions: tuple[Expr, ...] = op.params.conditions  # type: ignore[attr-defined]
    return conditions


def note_reads(symbols: Symbols, active: dict[str, Node], expr: Expr, when: Node) -> None:
    """Adds `when` to the activity of what an expression reads; `and`, `or` and `if` read only as far as they must."""
    if when == FALSE or not isinstance(expr, (Var, Apply)):
        return
    diagrams = symbols.diagrams
    if not is_logical(expr):
        for name in symbols.scope(expr):
            active[name] = diagrams.either(active[name], when)
        return
    assert isinstance(expr, Apply)
    first, *others = expr.args
    note_reads(symbols, active, first, when)
    holds = diagrams.of(first)
    match expr.function, others:
        case "and", [other]:
            note_reads(symbols, active, other, diagrams.both(when, holds))
        case "or", [other]:
            note_reads(symbols, active, other, diagrams.without(when, holds))
        case "if", [then, other]:
            note_reads(symbols, active, then, diagrams.both(when, holds))
            note_reads(symbols, active, other, diagrams.without(when, holds))


def shape_of(tensor: Tensor) -> Iterator[Expr]:
    """The elastic sizes of a tensor."""
    for segment in tensor.channels:
        yield from (size for size in (segment.size, segment.spread) if isinstance(size, (Var, Apply)))
    yield from (size for size in tensor.space if isinstance(size, (Var, Apply)))


def expressions(params: object) -> Iterator[Expr]:
    """The elastic values in an op's params, tuples and nested dataclasses included."""
    if isinstance(params, (Var, Apply)):
        yield params
    elif isinstance(params, tuple):
        for item in params:
            yield from expressions(item)
    elif is_dataclass(params):
        for field in fields(params):
            yield from expressions(getattr(params, field.name))
