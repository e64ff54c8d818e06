"""The report of one sub-network: multiply-accumulates, parameters and activations, op by op."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from specc.activity.presence import goes_on
from specc.activity.symbols import Poly, Symbols
from specc.cost.deployed import Layer, deployed_rows
from specc.cost.rows import OpRow
from specc.cost.totals import Count, costs_of, with_norms
from specc.frozen import frozen
from specc.ir.choice import Assignment
from specc.ir.expr import Number, Option, evaluate
from specc.ir.graph import Graph, Op, Tensor
from specc.ir.operator import Memory
from specc.portable.net.windows import window_from
from specc.space.branches import merge_branches
from specc.space.memory import BYTES, most_alive
from specc.space.steps import Step


@frozen
class CostReport:
    """The costs of one sub-network, for one image.

    params        the support of the active weights, one norm bank; `params_total` all that is allocated
    macs          multiply-accumulates; with `with_norms` 2 more for each normalised element
    activations   elements written by all ops
    peak_bytes    peak activation memory of the network as it is deployed, in bytes of float32, the image included: see
                  `specc.space.memory`
    """

    spec: str
    at: Mapping[str, Option]
    params: int
    params_total: int
    macs: int
    activations: int
    peak_bytes: int
    ops: tuple[OpRow, ...]


def cost(graph: Graph, at: Assignment, count: Count = "macs", deployed: bool = False) -> CostReport:
    """The report of one sub-network. `at` is a canonical assignment.

    With `deployed` it is that of `net.extract(plan, fold=True)`: parallel linear branches are one convolution, norms
    are folded into the layers before them, and nothing else is allocated.
    """
    costs = costs_of(graph)
    symbols, diagrams = costs.presence.symbols, costs.presence.diagrams
    full = {choice.name: at.get(choice.name, choice.smallest) for choice in graph.choices}
    known: dict[int, Number] = {}

    def value(poly: Poly) -> int:
        return whole(sum(factor * prod(symbol(number) for number in monomial) for monomial, factor in poly.items()))

    def symbol(number: int) -> Number:
        if number not in known:
            known[number] = symbols.at(number, full)
        return known[number]

    present = [diagrams.at(node, full) for node in costs.presence.present]
    shapes = {tensor.name: tuple(value(symbols.poly(size)) for size in tensor.shape) for tensor in graph.tensors}
    stages = dict(stages_of(graph))
    rows = tuple(
        OpRow(
            name=op.name,
            kind=op.kind,
            stage=stages.get(op.name, ""),
            params=value(share.params),
            macs=value(with_norms(share) if count == "with_norms" else share.macs),
            out=shapes[op.output],
        )
        for op, share, here in zip(graph.ops, costs.ops, present, strict=True)
        if here
    )
    tensors = graph.tensor_table()

    def ends(op: Op) -> tuple[list[Tensor], list[Tensor]]:
        return [tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs]

    kept = [op for op, here in zip(graph.ops, present, strict=True) if here]
    elements = {name: prod(shape) for name, shape in shapes.items()}
    memory = {op.name: op.operator.memory(op, *ends(op)) for op in kept}
    sources = {op.output: chosen(symbols, op, full) for op in kept if memory[op.name].role == "view"}
    running = [op for op in kept if memory[op.name].role != "view"]
    steps = [step(op, memory[op.name], full, shapes) for op in running]
    left, merged = merge_branches(steps, graph.prediction(), sources)
    peak = BYTES * most_alive(left, elements, graph.inputs, graph.prediction(), sources)
    if deployed:
        row_of = {row.name: row for row in rows}
        layers = {op.output: Layer(row_of[op.name], has_bias(op, *ends(op)), op.connection) for op in running}
        rows = deployed_rows(layers, left, merged, sources, graph.prediction())
        steps = left
    return CostReport(
        spec=graph.name,
        at=dict(at),
        params=sum(row.params for row in rows),
        params_total=sum(row.params for row in rows) if deployed else sum(op.total for op in costs.ops),
        macs=sum(row.macs for row in rows),
        activations=sum(elements[name] for step in steps for name in step.writes),
        peak_bytes=peak,
        ops=rows,
    )


def has_bias(op: Op, inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Whether a layer adds a learned number to each channel."""
    return any(weight.name == "bias" for weight in op.operator.weights(op, inputs, outputs))


def whole(value: Number) -> int:
    """The integer that an exact count comes out as."""
    if value != int(value):
        raise ValueError(f"a count comes out as {value}")
    return int(value)


def chosen(symbols: Symbols, op: Op, full: Assignment) -> str:
    """The input with which a select goes on; a narrow has only one."""
    for tensor, condition in zip(op.inputs, goes_on(op), strict=True):
        if symbols.diagrams.at(symbols.diagrams.of(condition), full):
            return tensor
    return op.inputs[-1]


def step(op: Op, memory: Memory, at: Assignment, shapes: Mapping[str, tuple[int, ...]]) -> Step:
    """An operation as memory is counted of it."""
    inner = tuple(int(evaluate(part, at)) for part in memory.inner)
    more = int(evaluate(memory.more, at))
    block = op.name.rpartition(".")[0]
    return Step(
        reads=op.inputs,
        writes=op.outputs,
        block=block,
        role=memory.role,
        absorbs=memory.absorbs,
        summed=memory.summed,
        more=more,
        inner=inner,  # type: ignore[arg-type]
        window=window_from([int(evaluate(part, at)) for part in memory.window]),
        sums=op.operator.sums,
        rests=memory.role == "alias" and shapes[op.inputs[0]] == shapes[op.output],
    )


def stages_of(graph: Graph) -> Iterator[tuple[str, str]]:
    """(op, the path of the stem, stage or head it is in) for every op."""
    stack = [(graph.root, "")]
    while stack:
        scope, stage = stack.pop()
        if scope.kind in ("stem", "stage", "head") or (scope.kind == "exit" and not stage):
            stage = scope.path
        for item in scope.items:
            if isinstance(item, str):
                yield item, stage
            else:
                stack.append((item, stage))
