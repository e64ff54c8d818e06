"""Dead code: operations that no output depends on, choices that nothing reads, scopes that are left empty."""

from __future__ import annotations

from dataclasses import replace

from specc.diagnostics import Findings
from specc.ir.expr import Apply, Var, free
from specc.ir.graph import Graph, Op, Scope, Segment, Tensor


def drop_dead(graph: Graph, findings: Findings) -> Graph:
    """The graph of what its outputs need."""
    needed = {output.tensor for output in graph.outputs}
    ops: list[Op] = []
    for op in reversed(graph.ops):
        if any(name in needed for name in op.outputs):
            ops.append(op)
            needed.update(op.inputs)
    ops.reverse()
    needed.update(graph.inputs)
    kept = {op.name for op in ops}
    root = kept_scope(graph.root, kept)
    assert root is not None
    tensors = tuple(t for t in graph.tensors if t.name in needed)
    read = choices_read(ops, tensors)
    return replace(
        graph,
        ops=tuple(ops),
        tensors=tensors,
        root=root,
        choices=tuple(c for c in graph.choices if c.name in read and len(c.options) > 1),
    )


def kept_scope(scope: Scope, kept: set[str]) -> Scope | None:
    items: list[str | Scope] = []
    for item in scope.items:
        if isinstance(item, Scope):
            inner = kept_scope(item, kept)
            if inner is not None:
                items.append(inner)
        elif item in kept:
            items.append(item)
    return replace(scope, items=tuple(items)) if items or scope.kind == "network" else None


def choices_read(ops: list[Op], tensors: tuple[Tensor, ...]) -> set[str]:
    """The choices that some shape, param, guard or bank reads."""
    read: set[str] = set()
    for op in ops:
        read |= free(op.guard) | free(op.bank.index)
        for name in getattr(type(op.params), "__slots__", ()):
            read |= free_in(getattr(op.params, name))
    for tensor in tensors:
        read |= free_in(tensor.channels) | free_in(tensor.space)
    return read


def free_in(value: object) -> frozenset[str]:
    """The choices in a field of an operator's params."""
    if isinstance(value, (Var, Apply)):
        return free(value)
    if isinstance(value, Segment):
        return free(value.size) | free(value.spread)
    if isinstance(value, tuple):
        return frozenset().union(*(free_in(v) for v in value))
    return frozenset()
