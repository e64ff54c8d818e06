"""Replacing expressions all over a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from operator import attrgetter, is_
from typing import Any, TypeVar

from specc.ir.expr import Apply, Expr, Var, substitute
from specc.ir.graph import Bank, Graph, Op, Scope, Segment, Tensor

Rewrite = Callable[[Expr], Expr]
Params = TypeVar("Params")


def substitution(values: Mapping[str, Expr]) -> Rewrite:
    """Substitutes choices, each distinct expression once."""
    if not values:
        return unchanged
    done: dict[Expr, Expr] = {}

    def rewrite(expr: Expr) -> Expr:
        if type(expr) is int or not isinstance(expr, (Var, Apply)):
            return expr
        known = done.get(expr)
        if known is None:
            known = done[expr] = substitute(expr, values)
        return known

    return rewrite


def unchanged(expr: Expr) -> Expr:
    """The rewrite that replaces nothing; known to the functions below, which then do not look."""
    return expr


def rewrite_params(params: Params, rewrite: Rewrite) -> Params:
    """An operator's params with every expression in their fields replaced, in tuples and segments too."""
    if rewrite is unchanged:
        return params
    old = values_of(params)
    new = [value if type(value) is int else rewrite_value(value, rewrite) for value in old]
    return params if all(map(is_, old, new)) else type(params)(*new)


def values_of(params: object) -> tuple[Any, ...]:
    """The fields of an operator's params, in their order."""
    kind: Any = type(params)
    return getter(kind)(params)


@cache
def getter(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    """Gets all fields of a class with slots at once."""
    names: tuple[str, ...] = kind.__slots__
    if len(names) > 1:
        return attrgetter(*names)
    return lambda params: tuple(getattr(params, name) for name in names)


def rewrite_value(value: Any, rewrite: Rewrite) -> Any:
    if rewrite is unchanged:
        return value
    if isinstance(value, (Var, Apply)):
        return rewrite(value)
    if isinstance(value, Segment):
        return rewrite_segment(value, rewrite)
    if isinstance(value, tuple):
        new = tuple(rewrite_value(v, rewrite) for v in value)
        return value if all(map(is_, value, new)) else new
    return value


def rewrite_segment(segment: Segment, rewrite: Rewrite) -> Segment:
    size, spread = rewrite(segment.size), rewrite(segment.spread)
    return segment if size is segment.size and spread is segment.spread else Segment(size, spread)


def shapes(rewrite: Rewrite) -> Callable[[Any], Any]:
    """`rewrite_value` for the channels and spaces of tensors that live on, which many of them share: each once."""
    done: dict[int, Any] = {}

    def rewrite_shape(shape: Any) -> Any:
        known = done.get(id(shape))
        if known is None:
            known = done[id(shape)] = rewrite_value(shape, rewrite)
        return known

    return rewrite_shape


def rewrite_tensor(tensor: Tensor, rewrite_shape: Callable[[Any], Any]) -> Tensor:
    channels, space = rewrite_shape(tensor.channels), rewrite_shape(tensor.space)
    if channels is tensor.channels and space is tensor.space:
        return tensor
    return Tensor(tensor.name, channels, space, tensor.origin)


def rewrite_op(op: Op, rewrite: Rewrite) -> Op:
    bank = op.bank if isinstance(op.bank.index, int) else Bank(rewrite(op.bank.index), op.bank.count)
    params, guard = rewrite_params(op.params, rewrite), rewrite(op.guard)
    if params is op.params and guard is op.guard and bank is op.bank:
        return op
    return Op(op.name, op.operator, params, op.inputs, op.outputs, guard, op.origin, op.connection, bank)


def rewrite_scope(scope: Scope, rewrite: Rewrite) -> Scope:
    items = tuple([rewrite_scope(i, rewrite) if isinstance(i, Scope) else i for i in scope.items])
    args = tuple([(name, rewrite_value(value, rewrite)) for name, value in scope.args])
    guard, place = rewrite(scope.guard), (scope.origin, scope.block)
    return Scope(scope.name, scope.path, scope.kind, guard, items, *place, args, scope.output)


def rewrite_graph(graph: Graph, rewrite: Rewrite) -> Graph:
    """The graph with every expression of its tensors, ops and scopes replaced; choices stay as they are."""
    rewrite_shape = shapes(rewrite)
    return replace(
        graph,
        tensors=tuple(rewrite_tensor(t, rewrite_shape) for t in graph.tensors),
        ops=tuple(rewrite_op(op, rewrite) for op in graph.ops),
        root=rewrite_scope(graph.root, rewrite),
    )
