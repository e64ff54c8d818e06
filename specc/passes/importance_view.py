"""The importance view of a graph: feature maps as nodes, operations as edges (TIPS, section 3.1.1 and Figure 9).

Each operation with its norm and activation is one edge. An op of several inputs has a row for each, `name#i`: an
operand that is used only there is contracted - its producer's edge ends at the op's output - and any other is an
identity edge.
Where contracting operands would lay two edges between the same two maps, these operands are left as they are.
So a residual addition is the edge from a block's input to its output.

A map that is scaled by what is made of itself alone, as by squeeze-excite, stays the same feature map: the operations
of its gate belong to the edge that ends there.

Identity edges stay in every sub-network. All other edges are present under the guard of their op; where a region may be
skipped and no identity edges lead through it, the select behind it gives a bypass edge, present iff it is skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from specc.frozen import frozen
from specc.ir.expr import Apply, Expr, apply, both
from specc.ir.graph import Graph, Op
from specc.passes.all_outputs import all_outputs


@frozen
class ViewEdge:
    """One operation between two feature maps.

    name      the op's name; with `#i` the row of its i-th input, counted from 1, where it has several
    ops       the op, and the norm and activation that count as part of it
    source    the number of the feature map that it reads; `target` of the one that it writes, always larger
    guard     1, or the condition on choices under which it is in a sub-network
    droppable whether some sub-network leaves the op itself out: false for the ops that every sub-network runs
    identity  whether it only passes its input on
    bypass    whether it is a way into a select: past what may be left out
    """

    name: str
    kind: str
    ops: tuple[str, ...]
    source: int
    target: int
    guard: Expr
    droppable: bool
    identity: bool
    bypass: bool = False


@frozen
class View:
    """A directed graph of feature maps in topological order.

    nodes   a tensor's name for each: the one that its readers read
    edges   in the order of the graph's ops
    firsts  the nodes that come from outside; `lasts` those that are heads or exits
    """

    nodes: tuple[str, ...]
    edges: tuple[ViewEdge, ...]
    firsts: tuple[int, ...]
    lasts: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Node:
    """A feature map while the view is built. `tip` is its outermost tensor, `label` the one it is named after."""

    root: str
    tip: str
    label: str
    ops: list[str] = field(default_factory=list)
    rows: list[Draft] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Draft:
    """An edge while the view is built; it ends at the node that holds it."""

    op: Op
    place: int
    operand: int
    name: str
    source: Node
    guard: Expr
    identity: bool


def importance_view(graph: Graph) -> View:
    """The view of a finished graph.

    Linear in its size but for the search for identity paths through regions, which ends where the region begins.
    """
    graph = all_outputs(graph)
    inner = folded_ops(graph)
    homes = folded(graph, inner, tensor_uses(graph, inner))
    readers = node_readers(graph, inner, homes)
    places = {tensor.name: place for place, tensor in enumerate(graph.tensors)}
    guards = {name: conjuncts(op.guard) for op in graph.ops for name in op.outputs}
    gone: dict[str, Node] = {}
    for place, op in enumerate(graph.ops):
        if op.name in inner:
            homes[op.inputs[0]].ops.append(op.name)
            continue
        operands = [homes[name] for name in op.inputs]
        around = ways_around(op, guards) if op.operator.selects else frozenset()
        silent = {i for i in around if any(passes_on(operands[i], other, places) for other in operands)}
        loud = [i for i in range(len(operands)) if i not in silent]
        merged: frozenset[int] = frozenset()
        if len(operands) > 1 and len(op.outputs) == 1:
            once = {i for i in loud if readers[operands[i].root] == 1 and operands[i].root not in graph.inputs}
            merged = contractible(operands, loud, once - around)
        for number, output in enumerate(op.outputs):
            node = homes[output]
            for i in loud:
                if i in merged:
                    node.rows.extend(operands[i].rows)
                    gone[operands[i].root] = node
                else:
                    guard = taken(op, i) if i in around else 1 if len(operands) > 1 else op.guard
                    node.rows.append(draft(op, place, i, number, operands[i], guard, i not in around))
        if op.operator.selects and len(merged) == 1:
            homes[op.output].label = operands[min(merged)].label
    return finished(graph, homes, gone, places)


def folded_ops(graph: Graph) -> Mapping[str, bool]:
    """The ops that belong to the edge before them. True for those that go on with its map: norms, activations and what
    scales it; False for those of a gate, which only that scaling reads."""
    inner: dict[str, bool] = {}
    origins: dict[str, str] = {}
    writers = {name: op for op in graph.ops for name in op.outputs}
    readers: dict[str, list[str]] = {output.tensor: [""] for output in graph.outputs if output.kind != "features"}
    for op in graph.ops:
        for name in op.inputs:
            readers.setdefault(name, []).append(op.name)
    for op in graph.ops:
        if not op.operator.folds or len(op.outputs) != 1:
            continue
        origin = origins.get(op.inputs[0], op.inputs[0])
        if len(op.inputs) > 1:
            gate, sources = gate_of(op, writers, readers)
            if any(origins.get(name, name) != origin for name in sources):
                continue
            inner.update(dict.fromkeys(gate, False))
        inner[op.name] = True
        origins[op.output] = origin
    return inner


def gate_of(op: Op, writers: Mapping[str, Op], readers: Mapping[str, list[str]]) -> tuple[set[str], set[str]]:
    """The ops that are there for an op's further inputs alone, and the tensors that they start from."""
    gate: set[str] = set()
    sources: set[str] = set()
    ahead = list(op.inputs[1:])
    while ahead:
        name = ahead.pop()
        writer = writers.get(name)
        if writer is not None and writer.name in gate:
            continue
        read_by = [reader for n in writer.outputs for reader in readers.get(n, ())] if writer is not None else []
        if writer is None or name == op.inputs[0] or any(r not in gate and r != op.name for r in read_by):
            sources.add(name)
        else:
            gate.add(writer.name)
            sources -= set(writer.outputs)
            ahead += writer.inputs
    return gate, sources


def tensor_uses(graph: Graph, inner: Mapping[str, bool]) -> Mapping[str, int]:
    """How often each tensor is read, by gates not counted; once more where it is a head or an exit."""
    uses = Counter(name for op in graph.ops if inner.get(op.name, True) for name in op.inputs)
    uses.update(output.tensor for output in graph.outputs if output.kind != "features")
    return uses


def folded(graph: Graph, inner: Mapping[str, bool], uses: Mapping[str, int]) -> dict[str, Node]:
    """The node of every tensor: a norm's or activation's output is the same feature map as its input.

    Its name moves on with it as long as nothing else reads what came before.
    """
    homes = {name: Node(name, "", name) for name in graph.inputs}
    for op in graph.ops:
        if op.name not in inner:
            homes.update((name, Node(name, name, name)) for name in op.outputs)
            continue
        before, after = op.inputs[0], op.outputs[0]
        node = homes[before]
        homes.update((name, node) for name in op.outputs)
        if inner[op.name] and node.tip == before and uses[before] == 1:
            node.tip = node.label = after
    return homes


def node_readers(graph: Graph, inner: Mapping[str, bool], homes: Mapping[str, Node]) -> Mapping[str, int]:
    """How many operands and outputs each node is, by its root."""
    readers = Counter(homes[name].root for op in graph.ops if op.name not in inner for name in op.inputs)
    readers.update(homes[output.tensor].root for output in graph.outputs if output.kind != "features")
    return readers


def contractible(operands: list[Node], loud: list[int], free: Set[int]) -> frozenset[int]:
    """Those of the free operands whose edges may end at the output without doubling another edge.

    `loud` are the operands that have a row of their own where they are not contracted.
    """
    while True:
        sources = Counter(row.source.root for i in free for row in operands[i].rows)
        sources.update(operands[i].root for i in loud if i not in free)
        doubled = {i for i in free if any(sources[row.source.root] > 1 for row in operands[i].rows)}
        if not doubled:
            return frozenset(free)
        free = free - doubled


def ways_around(op: Op, guards: Mapping[str, frozenset[Expr]]) -> frozenset[int]:
    """The operands of a select that come from before the region it closes: they are there whenever the select is."""
    here = conjuncts(op.guard)
    return frozenset(i for i, name in enumerate(op.inputs) if guards.get(name, frozenset()) <= here)


def conjuncts(guard: Expr) -> frozenset[Expr]:
    """The conditions of which a guard is the conjunction."""
    if guard == 1:
        return frozenset()
    if isinstance(guard, Apply) and guard.function == "and":
        return frozenset().union(*map(conjuncts, guard.args))
    return frozenset((guard,))


def taken(op: Op, operand: int) -> Expr:
    """When a select goes on with one of its operands."""
    conditions: tuple[Expr, ...] = op.params.conditions  # type: ignore[attr-defined]
    guard = op.guard
    for condition in conditions[:operand]:
        guard = both(guard, apply("not", condition))
    return both(guard, conditions[operand])


def draft(op: Op, place: int, operand: int, number: int, source: Node, guard: Expr, identity: bool) -> Draft:
    """The row of one operand: the operation itself where it has one, what passes an operand on where it has several."""
    several = len(op.inputs) > 1
    name = op.name if len(op.outputs) == 1 else op.outputs[number]
    return Draft(op, place, operand, f"{name}#{operand + 1}" if several else name, source, guard, several and identity)


def passes_on(before: Node, after: Node, places: Mapping[str, int]) -> bool:
    """Whether identity edges lead from one node to another."""
    seen: set[str] = set()
    ahead = [after]
    while ahead:
        for row in ahead.pop().rows:
            source = row.source
            if row.identity and source is before:
                return True
            if row.identity and source.root not in seen and places[source.root] > places[before.root]:
                seen.add(source.root)
                ahead.append(source)
    return False


def finished(graph: Graph, homes: Mapping[str, Node], gone: Mapping[str, Node], places: Mapping[str, int]) -> View:
    """The view with its nodes numbered in the order of execution and its edges in that of the ops."""

    def final(node: Node) -> Node:
        while node.root in gone:
            node = gone[node.root]
        return node

    kept = {node.root: node for node in map(final, homes.values())}
    nodes = sorted(kept.values(), key=lambda node: places[node.root])
    numbers = {node.root: number for number, node in enumerate(nodes)}
    drafts = [(row.place, row.operand, numbers[node.root], row) for node in nodes for row in node.rows]
    drafts.sort(key=lambda item: item[:3])
    edges = tuple(
        ViewEdge(
            name=row.name,
            kind=row.op.kind,
            ops=(row.op.name, *(() if row.op.operator.selects else homes[row.op.output].ops)),
            source=numbers[final(row.source).root],
            target=target,
            guard=row.guard,
            droppable=row.op.guard != 1 or row.op.operator.selects,
            identity=row.identity,
            bypass=row.op.operator.selects,
        )
        for _, _, target, row in drafts
    )
    lasts = dict.fromkeys(
        numbers[final(homes[output.tensor]).root] for output in graph.outputs if output.kind != "features"
    )
    firsts = dict.fromkeys(numbers[homes[name].root] for name in graph.inputs)
    return View(tuple(node.label for node in nodes), edges, tuple(firsts), tuple(lasts))
