"""Replacing expressions all over a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from specc.ir.expr import Apply, Expr, Var, substitute
from specc.ir.graph import Bank, Graph, Op, Scope, Segment, Tensor

Rewrite = Callable[[Expr], Expr]
Params = TypeVar("Params")


def substitution(values: Mapping[str, Expr]) -> Rewrite:
    """Substitutes choices, each distinct expression once."""
    done: dict[Expr, Expr] = {}

    def rewrite(expr: Expr) -> Expr:
        if not isinstance(expr, (Var, Apply)):
            return expr
        known = done.get(expr)
        if known is None:
            known = done[expr] = substitute(expr, values)
        return known

    return rewrite


def rewrite_params(params: Params, rewrite: Rewrite) -> Params:
    """An operator's params with every expression in their fields replaced, in tuples and segments too."""
    changes: dict[str, Any] = {}
    for name in getattr(type(params), "__slots__", ()):
        value = getattr(params, name)
        new = rewrite_value(value, rewrite)
        if new is not value:
            changes[name] = new
    return replace(params, **changes) if changes else params  # type: ignore[type-var]


def rewrite_value(value: Any, rewrite: Rewrite) -> Any:
    if isinstance(value, (Var, Apply)):
        return rewrite(value)
    if isinstance(value, Segment):
        return rewrite_segment(value, rewrite)
    if isinstance(value, tuple):
        new = tuple(rewrite_value(v, rewrite) for v in value)
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value


def rewrite_segment(segment: Segment, rewrite: Rewrite) -> Segment:
    size, spread = rewrite(segment.size), rewrite(segment.spread)
    return segment if size is segment.size and spread is segment.spread else Segment(size, spread)


def rewrite_tensor(tensor: Tensor, rewrite: Rewrite) -> Tensor:
    channels = tuple(rewrite_segment(s, rewrite) for s in tensor.channels)
    space = tuple(rewrite(s) for s in tensor.space)
    return Tensor(tensor.name, channels, space, tensor.origin)


def rewrite_op(op: Op, rewrite: Rewrite) -> Op:
    bank = op.bank if isinstance(op.bank.index, int) else Bank(rewrite(op.bank.index), op.bank.count)
    return replace(op, params=rewrite_params(op.params, rewrite), guard=rewrite(op.guard), bank=bank)


def rewrite_scope(scope: Scope, rewrite: Rewrite) -> Scope:
    items = tuple(rewrite_scope(i, rewrite) if isinstance(i, Scope) else i for i in scope.items)
    args = tuple((name, rewrite(value)) for name, value in scope.args)
    return replace(scope, items=items, args=args, guard=rewrite(scope.guard))


def rewrite_graph(graph: Graph, rewrite: Rewrite) -> Graph:
    """The graph with every expression of its tensors, ops and scopes replaced; choices stay as they are."""
    return replace(
        graph,
        tensors=tuple(rewrite_tensor(t, rewrite) for t in graph.tensors),
        ops=tuple(rewrite_op(op, rewrite) for op in graph.ops),
        root=rewrite_scope(graph.root, rewrite),
    )
