"""The nesting of a graph as parts: what each scope holds, takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from specc.codegen.model.spec_text import given_names
from specc.codegen.names import attribute, fresh
from specc.ir.expr import Expr
from specc.ir.graph import Graph, Op, Output, Scope, Tensor
from specc.ops.writing import Site
from specc.source import Span


@dataclass(slots=True, eq=False)
class Part:
    """One scope that becomes a module: the network, a stage, a block.

    entries  ops, parts and regions in the order of execution
    inputs   tensors that it reads and does not make; outputs: those it makes that are read outside
    height   how deep parts stand in it
    cls      the class that it is an instance of, and `index` its place among the instances, once known
    notes    whether heads or exits are computed in it, which it notes in a dict
    """

    scope: Scope
    attribute: str
    entries: tuple[Entry, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    height: int = 0
    cls: int = -1
    index: int = -1
    notes: bool = False


@dataclass(slots=True, eq=False)
class OpEntry:
    """An op and the attribute its layer has in the part."""

    op: Op
    attribute: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.op.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.op.outputs


@dataclass(slots=True, eq=False)
class Region:
    """Entries that are present under a condition."""

    guard: Expr
    entries: tuple[Entry, ...]


Entry: TypeAlias = OpEntry | Part | Region


@dataclass(slots=True, eq=False)
class Structure:
    """All parts of a graph, innermost first. `called` has the names that the spec gives to tensors outside blocks."""

    graph: Graph
    tensors: Mapping[str, Tensor]
    parts: list[Part] = field(default_factory=list)
    called: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Part:
        return self.parts[-1]


def structure(graph: Graph) -> Structure:
    """Reads a graph's nesting. Time grows linearly with the ops, recursion only with the depth of nesting."""
    found = Structure(graph, graph.tensor_table())
    ops = {op.name: op for op in graph.ops}
    make_part(found, graph.root, "", ops)
    add_boundaries(found.root, graph.outputs)
    add_names(found, found.root)
    found.parts.sort(key=lambda part: part.height)
    return found


def add_names(found: Structure, part: Part) -> None:
    """Finds what the spec calls the tensors of a part and of those in it, blocks left out."""
    for entry in walk(part.entries):
        if isinstance(entry, Part) and entry.scope.kind != "block":
            add_names(found, entry)
            continue
        origin = entry.op.origin if isinstance(entry, OpEntry) else entry.scope.origin
        found.called.update(zip(entry.outputs, given_at(origin, len(entry.outputs)), strict=False))


def given_at(origin: Span, count: int) -> tuple[str, ...]:
    """The names that the spec gives to the tensors of a call; none where these are not `count`."""
    names = given_names(origin.source).get((origin.start, origin.end), ())
    return names if len(names) == count else ()


def make_part(found: Structure, scope: Scope, name: str, ops: Mapping[str, Op]) -> Part:
    part = Part(scope, name)
    taken: set[str] = set()
    part.entries = make_entries(found, scope, ops, taken, part)
    found.parts.append(part)
    return part


def make_entries(
    found: Structure, scope: Scope, ops: Mapping[str, Op], taken: set[str], part: Part
) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for item in scope.items:
        if isinstance(item, str):
            entries.append(OpEntry(ops[item], fresh(attribute(item.rsplit(".", 1)[-1]), taken)))
        elif item.kind == "region":
            inner = make_entries(found, item, ops, taken, part)
            if inner:
                entries.append(Region(item.guard, inner))
        else:
            child = make_part(found, item, fresh(attribute(item.name), taken), ops)
            if not child.entries:  # a stage without operations is no module
                found.parts.pop()
                continue
            part.height = max(part.height, child.height + 1)
            part.notes = part.notes or bool(item.output) or child.notes
            entries.append(child if item.guard == 1 else Region(item.guard, (child,)))
    return tuple(entries)


def walk(entries: tuple[Entry, ...]) -> Iterator[OpEntry | Part]:
    """Ops and parts in the order of execution, those in regions included."""
    for entry in entries:
        if isinstance(entry, Region):
            yield from walk(entry.entries)
        else:
            yield entry


def add_boundaries(root: Part, outputs: Sequence[Output]) -> None:
    """Finds every part's inputs and outputs, with the number of every op's place in the order of execution.

    What a head or exit answers leaves it, and is noted by the part around: it leaves no other.
    """
    escaping = {output.tensor for output in outputs}
    noted = {output.tensor: output.name for output in outputs if output.kind != "features"}
    made: dict[str, int] = {}
    last: dict[str, int] = {}
    spans: list[tuple[Part, int, int]] = []
    sequence: list[Op] = []

    def visit(part: Part) -> None:
        start = len(sequence)
        for entry in walk(part.entries):
            if isinstance(entry, Part):
                visit(entry)
            else:
                for tensor in entry.op.inputs:
                    last[tensor] = len(sequence)
                for tensor in entry.op.outputs:
                    made[tensor] = len(sequence)
                sequence.append(entry.op)
        spans.append((part, start, len(sequence)))

    visit(root)
    for part, start, stop in spans:
        inside = sequence[start:stop]
        read = dict.fromkeys(t for op in inside for t in op.inputs if not start <= made.get(t, -1) < stop)
        part.inputs = tuple(read)
        gone = {t for t, name in noted.items() if part.notes and part.scope.output != name}
        part.outputs = tuple(
            t for op in inside for t in op.outputs if (t in escaping and t not in gone) or last.get(t, -1) >= stop
        )


def is_repeated(scope: Scope) -> bool:
    """Whether a scope may have a class in common with others: blocks, exits, and heads where there are several."""
    return scope.kind == "block" or bool(scope.output)


def site(found: Structure, op: Op) -> Site:
    """An op with its tensors, as writers want it."""
    return Site(op, tuple(found.tensors[t] for t in op.inputs), tuple(found.tensors[t] for t in op.outputs))
