"""What the runs of a block or residual do to the shape: read from the graph, for a statement of the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specc.assignments import largest
from specc.ir.expr import evaluate
from specc.ir.graph import Graph, Op, Tensor
from specc.syntax import ast


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a statement.

    keeps      whether one tensor comes in, one of the same shape goes out, and weights lie between
    is_summed  whether what comes in is part of what goes out: a residual connection around the rest
    """

    keeps: bool
    is_summed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """A graph, and what is looked up in it again and again."""

    graph: Graph
    ops: dict[str, Op]
    tensors: dict[str, Tensor]
    readers: dict[str, frozenset[str]]
    shapes: dict[str, tuple[object, ...]]

    @staticmethod
    def of(graph: Graph) -> Flow:
        at = largest(graph)
        readers: dict[str, set[str]] = {}
        for op in graph.ops:
            for name in op.inputs:
                readers.setdefault(name, set()).add(op.name)
        for output in graph.outputs:
            readers.setdefault(output.tensor, set())
        return Flow(
            graph,
            {op.name: op for op in graph.ops},
            {tensor.name: tensor for tensor in graph.tensors},
            {name: frozenset(found) for name, found in readers.items()},
            {t.name: tuple(evaluate(size, at) for size in t.shape) for t in graph.tensors},
        )

    def runs(self, statement: ast.Statement) -> tuple[Run, ...]:
        """The runs of a block call or a residual, in the order of execution; () for any other statement."""
        if isinstance(statement, ast.CallStatement):
            return tuple(map(self.run, self.calls(statement.call)))
        return tuple(map(self.run, self.residuals(statement))) if isinstance(statement, ast.Residual) else ()

    def calls(self, call: ast.CallExpr) -> Iterator[Sequence[str]]:
        """The operations of each run of a block call."""
        for scope in self.graph.root.scopes():
            if scope.kind == "block" and scope.origin.key == call.span.key:
                yield tuple(scope.ops())

    def residuals(self, statement: ast.Residual) -> Iterator[Sequence[str]]:
        """The operations of each run of a residual: up to its sum, which has the statement's place."""
        run: list[str] = []
        for op in self.graph.ops:
            places = (op.origin, *(site.span for site in op.origin.calls))
            if any(statement.span.holds(place) for place in places):
                run.append(op.name)
                if op.origin.key == statement.span.key:
                    yield tuple(run)
                    run = []

    def run(self, names: Sequence[str]) -> Run:
        ops = [self.ops[name] for name in names]
        inside = {tensor for op in ops for tensor in op.outputs}
        entering = {tensor for op in ops for tensor in op.inputs} - inside
        here = frozenset(names)
        outputs = {output.tensor for output in self.graph.outputs}
        leaving = {t for t in inside if t in outputs or not self.readers.get(t, frozenset()) <= here}
        if len(entering) != 1 or len(leaving) != 1:
            return Run(False, False)
        (start,), (end,) = entering, leaving
        if self.shapes[start] != self.shapes[end] or not any(map(self.has_weights, ops)):
            return Run(False, False)
        return Run(True, self.is_summed(start, end, {t: op for op in ops for t in op.outputs}))

    def is_summed(self, start: str, end: str, makers: dict[str, Op]) -> bool:
        """Whether a way without weights leads from `start` to `end` through a sum or another meeting of tensors."""
        waiting, seen = [(end, False)], set[tuple[str, bool]]()
        while waiting:
            tensor, has_met = waiting.pop()
            if tensor == start and has_met:
                return True
            if (tensor, has_met) in seen or tensor not in makers or self.has_weights(makers[tensor]):
                continue
            seen.add((tensor, has_met))
            inputs = makers[tensor].inputs
            waiting += [(name, has_met or len(inputs) > 1) for name in inputs]
        return False

    def has_weights(self, op: Op) -> bool:
        inputs, outputs = ([self.tensors[name] for name in names] for names in (op.inputs, op.outputs))
        return bool(op.operator.weights(op, inputs, outputs))
