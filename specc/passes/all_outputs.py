"""The graph in which every head and every exit is computed, as the importance view sees it: all are last nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specc.ir.expr import Expr, both, free
from specc.ir.graph import Graph, Scope


def all_outputs(graph: Graph) -> Graph:
    """The graph without the choice of an exit, without the conditions of heads and exits, and without the select that
    joins what they answer. A graph with one answer as it is."""
    if sum(output.kind != "features" for output in graph.outputs) < 2:
        return graph
    exits = frozenset(choice.name for choice in graph.choices if choice.kind == "exit")
    guards = dict(guards_of(graph.root, 1, exits))
    last = graph.prediction() if all(output.tensor != graph.prediction() for output in graph.outputs) else ""
    return replace(
        graph,
        ops=tuple(replace(op, guard=guards[op.name]) for op in graph.ops if op.output != last),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.name != last),
        choices=tuple(choice for choice in graph.choices if choice.name not in exits),
    )


def guards_of(scope: Scope, guard: Expr, exits: frozenset[str]) -> Iterator[tuple[str, Expr]]:
    """The guard of every op, from the regions that it stands in."""
    follows = bool(free(scope.guard)) and free(scope.guard) <= exits
    inner = guard if scope.output or follows else both(guard, scope.guard)
    for item in scope.items:
        if isinstance(item, Scope):
            yield from guards_of(item, inner, exits)
        else:
            yield item, inner
