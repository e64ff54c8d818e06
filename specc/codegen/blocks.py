"""The blocks of a network that latencies are measured of, and the choices that each reads.

A block is a module of the generated model: a block call of a stage, or a stage, stem or head without such calls. What
stands beside block calls in a stage is measured layer by layer; operations without weights are left out there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.codegen.model.structure import Entry, OpEntry, Part, Region, structure, walk
from specc.ir.expr import free
from specc.ir.graph import Graph, Op, Tensor
from specc.passes.drop_dead import choices_read


def blocks_of(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For every block, by its attribute path, the choices that its shape depends on, in the graph's order."""
    found = structure(graph)
    blocks: dict[str, frozenset[str]] = {}
    for path, entries, guards in units(found.root.entries, "", frozenset()):
        if not any(has_weights(entry.op, found.tensors) for entry in entries):
            continue
        ops = [entry.op for entry in entries]
        tensors = [found.tensors[name] for op in ops for name in (*op.inputs, *op.outputs)]
        blocks[path] = guards | choices_read(ops, tensors)
    return {path: tuple(c.name for c in graph.choices if c.name in reads) for path, reads in blocks.items()}


def units(
    entries: tuple[Entry, ...], path: str, guards: frozenset[str]
) -> Iterator[tuple[str, list[OpEntry], frozenset[str]]]:
    """The blocks among some entries: path, the ops inside, and the choices that decide whether it is there."""
    for entry in entries:
        if isinstance(entry, Region):
            yield from units(entry.entries, path, guards | free(entry.guard))
            continue
        here = f"{path}.{entry.attribute}" if path else entry.attribute
        if isinstance(entry, OpEntry):
            yield here, [entry], guards
        elif not path and any(isinstance(inner, Part) for inner in walk(entry.entries)):
            yield from units(entry.entries, here, guards)
        else:
            yield here, list(ops_in(entry.entries)), guards


def ops_in(entries: tuple[Entry, ...]) -> Iterator[OpEntry]:
    """All ops, those of inner parts included."""
    for entry in walk(entries):
        if isinstance(entry, OpEntry):
            yield entry
        else:
            yield from ops_in(entry.entries)


def has_weights(op: Op, tensors: Mapping[str, Tensor]) -> bool:
    """Whether an op is a layer: those without weights cost next to nothing beside the others."""
    inputs, outputs = [tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs]
    return bool(op.operator.weights(op, inputs, outputs))
