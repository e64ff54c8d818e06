"""The rows of the tables that describe the graph and what it costs. Every table is filled only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import cached_property
from math import prod
from typing import Any, Final, TypeAlias

from specc.activity.presence import expressions
from specc.cost.report import CostReport, cost
from specc.cost.rows import OpRow
from specc.diagnostics import SpecError
from specc.importance.marks import Edge, Marks
from specc.ir.expr import free, show
from specc.ir.extent import Extents, text
from specc.ir.graph import Graph, Op
from specc.query.nesting import Nesting, Place, nesting
from specc.subnets.space import activity, complete

Cell: TypeAlias = "str | int | float | None"
Row: TypeAlias = tuple[Cell, ...]
BLOCK: Final = 1024
"""Assignments that are costed together."""


class Facts:
    """What several tables read, each computed when it is first needed."""

    def __init__(self, graph: Graph, marks: Callable[[], Marks]) -> None:
        self.graph = graph
        self.find_marks = marks

    @cached_property
    def marks(self) -> Marks:
        return self.find_marks()

    @cached_property
    def edges(self) -> Mapping[str, Edge]:
        """The most important edge of every operation that has any; none where there is no analysis."""
        try:
            edges = self.marks.ops
        except SpecError:
            return {}
        return {edge.op: edge for edge in sorted(edges, key=lambda edge: (edge.important, edge.score))}

    @cached_property
    def nesting(self) -> Nesting:
        return nesting(self.graph)

    @cached_property
    def extents(self) -> Extents:
        return Extents(self.graph)

    @cached_property
    def largest(self) -> CostReport:
        return cost(self.graph, complete(self.graph, {}, "max"))

    @cached_property
    def smallest(self) -> CostReport:
        return cost(self.graph, complete(self.graph, {}, "min"))

    def place(self, op: str) -> Place:
        return self.nesting.places.get(op, Place("", ""))


def op_rows(facts: Facts) -> Iterator[Row]:
    most, least = by_name(facts.largest), by_name(facts.smallest)
    total = facts.largest.macs or 1
    edges = facts.edges
    for position, op in enumerate(facts.graph.ops):
        here, small, edge = most.get(op.name), least.get(op.name), edges.get(op.name)
        place = facts.place(op.name)
        macs = 0 if here is None else here.macs
        yield (
            op.name,
            op.kind,
            place.stage,
            place.block,
            position,
            show(op.guard),
            op.output,
            0 if here is None else here.params,
            macs,
            0 if small is None else small.macs,
            macs / total,
            None if edge is None else int(edge.important),
            None if edge is None else edge.score,
            op.origin.location(),
        )


def by_name(report: CostReport) -> Mapping[str, OpRow]:
    return {row.name: row for row in report.ops}


def input_rows(facts: Facts) -> Iterator[Row]:
    for op in facts.graph.ops:
        yield from ((op.name, place, tensor) for place, tensor in enumerate(op.inputs))


def tensor_rows(facts: Facts) -> Iterator[Row]:
    writers = {tensor: op.name for op in facts.graph.ops for tensor in op.outputs}
    readers: dict[str, int] = {}
    for op in facts.graph.ops:
        for name in dict.fromkeys(op.inputs):
            readers[name] = readers.get(name, 0) + 1
    for tensor in facts.graph.tensors:
        op_name = writers.get(tensor.name)
        low, high = facts.extents.of(tensor.features)
        space = [facts.extents.of(size)[1] for size in tensor.space]
        height, width = (None, None) if not space else (space[0], space[1] if len(space) == 2 else 1)
        stage = facts.place(op_name).stage if op_name else ""
        count = readers.get(tensor.name, 0)
        size = show(tensor.features)
        yield tensor.name, op_name, stage, high, low, height, width, high * prod(space), size, count


def choice_rows(facts: Facts) -> Iterator[Row]:
    conditions = activity(facts.graph)
    saved = savings(facts.graph)
    for choice, (macs, params) in zip(facts.graph.choices, saved, strict=True):
        ends = (text(choice.smallest), text(choice.largest))
        if choice.kind == "skip":
            ends = ("no", "yes")
        active = show(conditions[choice.name])
        yield choice.name, choice.kind, len(choice.options), *ends, active, macs, params


def savings(graph: Graph) -> Iterator[tuple[int, int]]:
    """(MACs, parameters) that the largest network loses by each choice alone at its first option."""
    if not graph.choices:
        return
    import numpy as np

    from specc.cost import compile_cost

    many = compile_cost(graph).many
    top = np.array([len(choice.options) - 1 for choice in graph.choices], np.int64)
    macs, params = (int(total[0]) for total in many(top[None, :]))
    for start in range(0, len(top), BLOCK):
        block = np.repeat(top[None, :], min(BLOCK, len(top) - start), axis=0)
        block[np.arange(len(block)), start + np.arange(len(block))] = 0
        for less_macs, less_params in zip(*many(block), strict=True):
            yield macs - int(less_macs), params - int(less_params)


def read_rows(facts: Facts) -> Iterator[Row]:
    tensors = facts.graph.tensor_table()
    for op in facts.graph.ops:
        found: dict[tuple[str, str], None] = {}
        for name in op.outputs:
            note(found, "width", tensors[name].features)
            note(found, "size", *tensors[name].space)
        for name in op.inputs:
            note(found, "input", tensors[name].features)
        for how, value in own_params(op):
            note(found, how, *expressions(value))
        note(found, "guard", op.guard)
        note(found, "bank", op.bank.index)
        yield from ((op.name, choice, how) for choice, how in found)


def note(found: dict[tuple[str, str], None], how: str, *exprs: Any) -> None:
    for expr in exprs:
        for choice in sorted(free(expr)):
            found[choice, how] = None


def own_params(op: Op) -> Iterator[tuple[str, Any]]:
    """The params of an op but its channel counts, which its tensors have too."""
    skipped = ("inputs", "out", "groups", "channels", "features")
    for field in fields(op.params):  # type: ignore[arg-type]
        if field.name not in skipped and not field.name.startswith("full_"):
            yield field.name, getattr(op.params, field.name)


def stage_rows(facts: Facts) -> Iterator[Row]:
    kinds = {choice.name: choice.kind for choice in facts.graph.choices}
    ops = dict.fromkeys((part.name for part in facts.nesting.parts), 0)
    skips: dict[str, set[str]] = {part.name: set() for part in facts.nesting.parts}
    for op in facts.graph.ops:
        stage = facts.place(op.name).stage
        if stage in ops:
            ops[stage] += 1
            skips[stage].update(name for name in free(op.guard) if kinds.get(name) == "skip")
    most, least = sums(facts.largest), sums(facts.smallest)
    total = facts.largest.macs or 1
    for position, part in enumerate(facts.nesting.parts):
        params, macs = most.get(part.name, (0, 0))
        counts = (ops[part.name], part.blocks, len(skips[part.name]))
        yield part.name, part.kind, position, *counts, params, macs, least.get(part.name, (0, 0))[1], macs / total


def sums(report: CostReport) -> Mapping[str, tuple[int, int]]:
    """(parameters, MACs) by stage."""
    found: dict[str, tuple[int, int]] = {}
    for row in report.ops:
        params, macs = found.get(row.stage, (0, 0))
        found[row.stage] = (params + row.params, macs + row.macs)
    return found


def cost_rows(facts: Facts) -> Iterator[Row]:
    for end, report in (("max", facts.largest), ("min", facts.smallest)):
        yield from ((end, row.name, row.params, row.macs, prod(row.out)) for row in report.ops)
