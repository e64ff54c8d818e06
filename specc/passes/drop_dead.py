"""Dead code: operations that no output depends on, choices that nothing reads, scopes that are left empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import is_

from specc.diagnostics import Findings
from specc.ir.expr import Apply, Var, free
from specc.ir.graph import SHARED, Graph, Op, Scope, Segment, Tensor
from specc.ir.rewrite import rewrite_graph, substitution, values_of


def drop_dead(graph: Graph, findings: Findings) -> Graph:
    """The graph of what its outputs need, with choices among one option replaced by it."""
    graph = settled(graph)
    needed = {output.tensor for output in graph.outputs} | {graph.prediction()}
    ops: list[Op] = []
    for op in reversed(graph.ops):
        if not needed.isdisjoint(op.outputs):
            ops.append(op)
            needed.update(op.inputs)
            needed.update(op.outputs)  # all parts of a split, of which one may be read by nothing
    ops.reverse()
    needed.update(graph.inputs)
    tensors = tuple(t for t in graph.tensors if t.name in needed)
    read = choices_read(ops, tensors)
    choices = tuple(c for c in graph.choices if c.name in read)
    if (len(ops), len(tensors), len(choices)) == (len(graph.ops), len(graph.tensors), len(graph.choices)):
        return graph
    root = kept_scope(graph.root, {op.name for op in ops})
    assert root is not None
    return replace(graph, ops=tuple(ops), tensors=tensors, root=root, choices=choices)


def settled(graph: Graph) -> Graph:
    """The graph without its choices among one option: what reads one has the option in its place."""
    values = {choice.name: choice.options[0] for choice in graph.choices if len(choice.options) == 1}
    if not values:
        return graph
    graph = rewrite_graph(graph, substitution(values))
    ops = tuple(replace(op, bank=SHARED) if isinstance(op.bank.index, int) else op for op in graph.ops)
    return replace(graph, ops=ops, choices=tuple(c for c in graph.choices if c.name not in values))


def kept_scope(scope: Scope, kept: set[str]) -> Scope | None:
    """What is left of a scope: itself where that is all of it, None where it is nothing."""
    items: list[str | Scope] = []
    for item in scope.items:
        if isinstance(item, Scope):
            inner = kept_scope(item, kept)
            if inner is not None:
                items.append(inner)
        elif item in kept:
            items.append(item)
    if not items and scope.kind != "network":
        return None
    same = len(items) == len(scope.items) and all(map(is_, items, scope.items))
    return scope if same else replace(scope, items=tuple(items))


def choices_read(ops: Sequence[Op], tensors: Sequence[Tensor]) -> set[str]:
    """The choices that some shape, param, guard or bank reads."""
    found: set[Var | Apply] = set()
    for op in ops:
        collect((op.guard, op.bank.index, *values_of(op.params)), found)
    for shape in {id(shape): shape for tensor in tensors for shape in (tensor.channels, tensor.space)}.values():
        collect(shape, found)
    return set().union(*map(free, found))


def collect(values: Iterable[object], found: set[Var | Apply]) -> None:
    """Adds the expressions among values, also those in tuples and segments."""
    for value in values:
        kind = type(value)
        if kind is int:
            continue
        if isinstance(value, (Var, Apply)):
            found.add(value)
        elif kind is Segment:
            collect((value.size, value.spread), found)  # type: ignore[attr-defined]
        elif kind is tuple:
            collect(value, found)  # type: ignore[arg-type]
