"""Partial evaluation: setting choices folds sizes to numbers, drops what is switched off, and leaves the other
choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from specc.diagnostics import Findings
from specc.ir.choice import Assignment
from specc.ir.expr import Expr, evaluate
from specc.ir.graph import DENSE, SHARED, Connection, Graph, Op, Output, Scope
from specc.ir.rewrite import rewrite_graph, substitution
from specc.ir.window import Window
from specc.passes.drop_dead import drop_dead
from specc.passes.verify import verify


def specialise(graph: Graph, assignment: Assignment) -> Graph:
    """The graph with the given choices set. A full assignment gives a static network with no choice in it.

    A norm keeps the one bank it uses; a select whose condition is known disappears. The `full_*` sizes of params become
    those of the network left where these are numbers.
    """
    values: dict[str, Expr] = dict(assignment)
    changed = rewrite_graph(graph, substitution(values))
    tensors = changed.tensor_table()
    largest = {choice.name: choice.largest for choice in graph.choices}
    alias: dict[str, str] = {}
    ops: list[Op] = []
    for op in changed.ops:
        op = replace(op, inputs=tuple(alias.get(name, name) for name in op.inputs))
        if op.guard == 0:
            continue
        if op.operator.does_nothing(op, [tensors[name] for name in op.inputs]):
            alias[op.output] = op.inputs[0]
            continue
        if op.operator.selects:
            op, chosen = settle_select(op)
            if chosen is not None:
                alias[op.output] = chosen
                continue
        ops.append(shrunk(op, largest))
    kept = {op.name for op in ops}
    static = replace(
        changed,
        ops=tuple(ops),
        outputs=outputs_left(changed, ops, alias, all(c.name in assignment for c in changed.choices)),
        main=alias.get(changed.main, changed.main),
        choices=tuple(c for c in changed.choices if c.name not in assignment),
        root=without(changed.root, kept),
        listed=(),
    )
    result = drop_dead(static, Findings())
    verify(result, after="specialise")
    return result


def outputs_left(graph: Graph, ops: Sequence[Op], alias: Mapping[str, str], static: bool) -> tuple[Output, ...]:
    """The outputs that are still computed; a static network has one answer, and coarser levels' classifiers go."""
    made = {name for op in ops for name in op.outputs} | set(graph.inputs)
    prediction = alias.get(graph.prediction(), graph.prediction())
    outputs = [replace(o, tensor=alias.get(o.tensor, o.tensor)) for o in graph.outputs]
    kept = [o for o in outputs if o.tensor in made]
    return tuple(o for o in kept if o.kind == "features" or o.tensor == prediction or not static)


def settle_select(op: Op) -> tuple[Op, str | None]:
    """The select without the alternatives that can't be taken, and the one that is left where only one is."""
    pairs = []
    for name, condition in zip(op.inputs, op.params.conditions, strict=True):  # type: ignore[attr-defined]
        if condition == 0:
            continue
        pairs.append((name, condition))
        if condition == 1:
            break
    if len(pairs) == 1:
        return op, pairs[0][0]
    params = replace(op.params, conditions=tuple(c for _, c in pairs))  # type: ignore[type-var]
    return replace(op, inputs=tuple(n for n, _ in pairs), params=params), None


def shrunk(op: Op, largest: Assignment) -> Op:
    """The op with the allocated sizes, `full_x`, cut to the most that the active ones, `x`, can still be."""
    changes: dict[str, object] = {}
    slots = getattr(type(op.params), "__slots__", ())
    for name in slots:
        active = name.removeprefix("full_")
        if active != name and active in slots:
            value = at_largest(getattr(op.params, active), largest)
            if isinstance(value, (int, tuple)) and value != getattr(op.params, name):
                changes[name] = value
    params = replace(op.params, **changes) if changes else op.params  # type: ignore[type-var]
    bank = SHARED if isinstance(op.bank.index, int) else op.bank
    return replace(op, params=params, bank=bank, connection=shrunk_connection(op, params))


def at_largest(size: Window, largest: Assignment) -> object:
    """A size, or a window, at an assignment."""
    return tuple(evaluate(side, largest) for side in size) if isinstance(size, tuple) else evaluate(size, largest)


def shrunk_connection(op: Op, params: object) -> Connection:
    """Of K blocks those that are left; one alone is dense."""
    blocks = op.connection.blocks
    if blocks is None:
        return op.connection
    left = blocks * params.full_out // op.params.full_out  # type: ignore[attr-defined]
    return replace(op.connection, blocks=left) if left > 1 else DENSE


def without(scope: Scope, kept: set[str]) -> Scope:
    """The nesting with the ops that are gone left out, and regions that are always present dissolved."""
    items: list[str | Scope] = []
    for item in scope.items:
        if not isinstance(item, Scope):
            if item in kept:
                items.append(item)
            continue
        inner = without(item, kept)
        if inner.kind == "region" and inner.guard == 1:
            items.extend(inner.items)
        elif inner.items and inner.guard != 0:
            items.append(inner)
    return replace(scope, items=tuple(items))
