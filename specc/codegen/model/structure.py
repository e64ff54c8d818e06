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
    run      the loop over rounds of a repeat that it is a round of, 0 for none; `kind`: which rounds are of one class
    place    its place in a round, -1 outside of one; `stage_name`: what the stage calls it there
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
    run: int = 0
    kind: int = -1
    place: int = -1
    stage_name: str = ""


@dataclass(slots=True, eq=False)
class OpEntry:
    """An op and the attribute its layer has in the part. `place` and `stage_name` as a part has them."""

    op: Op
    attribute: str
    place: int = -1
    stage_name: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.op.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.op.outputs


@dataclass(slots=True, eq=False)
class Region:
    """Entries that are present under a condition. `partial` says that it guards them in some rounds only."""

    guard: Expr
    entries: tuple[Entry, ...]
    partial: bool = False


Entry: TypeAlias = OpEntry | Part | Region


@dataclass(slots=True, eq=False)
class Structure:
    """All parts of a graph, innermost first. `called` has the names that the spec gives to tensors outside blocks."""

    graph: Graph
    tensors: Mapping[str, Tensor]
    parts: list[Part] = field(default_factory=list)
    called: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    @property
    def root(self) -> Part:
        return self.parts[-1]


def nesting(graph: Graph) -> Structure:
    """A graph's nesting. Time grows linearly with the ops, recursion only with the depth of nesting."""
    found = Structure(graph, graph.tensor_table())
    make_part(found, graph.root, "", {op.name: op for op in graph.ops})
    return found


def structure(graph: Graph) -> Structure:
    """A graph's nesting with what enters and leaves every part."""
    return completed(nesting(graph))


def completed(found: Structure) -> Structure:
    """A nesting with what enters and leaves its parts, which are sorted."""
    root = found.graph.root
    whole = next(part for part in found.parts if part.scope is root)
    set_heights(whole)
    add_boundaries(whole, found.graph.outputs)
    add_names(found, whole)
    ranks = tensor_ranks(found)
    for part in found.parts:
        if not is_repeated(part.scope):
            part.inputs = tuple(sorted(part.inputs, key=ranks.__getitem__))
            part.outputs = tuple(sorted(part.outputs, key=ranks.__getitem__))
    found.parts.sort(key=lambda part: part.height)
    return found


def set_heights(part: Part) -> int:
    """Finds how deep parts stand in each part."""
    inner = [set_heights(entry) for entry in walk(part.entries) if isinstance(entry, Part)]
    part.height = max(inner) + 1 if inner else 0
    return part.height


def tensor_ranks(found: Structure) -> dict[str, int]:
    """The order of a graph's tensors; those that the spec calls by one name, one after another, have one place."""
    first: dict[str, int] = {}
    return {
        tensor: first.setdefault(found.called.get(tensor, tensor), place) for place, tensor in enumerate(found.tensors)
    }


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
    """Whether a scope may have a class in common with others: blocks, rounds, exits, several heads."""
    return scope.kind in ("block", "round") or bool(scope.output)


def site(found: Structure, op: Op) -> Site:
    """An op with its tensors, as writers want it."""
    return Site(op, tuple(found.tensors[t] for t in op.inputs), tuple(found.tensors[t] for t in op.outputs))
