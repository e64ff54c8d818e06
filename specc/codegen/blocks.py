"""The blocks of a network that latencies are measured of, and the choices that each reads.

A block is a module of the generated model: a block call of a stage, or a stage, stem or head without such calls. What
stands beside block calls in a stage is measured layer by layer, and so is a block that reads so many choices that its
layers have far fewer combinations each; operations without weights are left out there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Final

from specc.codegen.model.structure import Entry, OpEntry, Part, Region, structure, walk
from specc.ir.expr import free
from specc.ir.graph import Graph, Op, Tensor
from specc.passes.drop_dead import choices_read

MANY: Final = 1500
"""A block with more combinations of options is measured layer by layer, if a layer has fewer."""


def blocks_of(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For every block, by its attribute path, the choices that its shape depends on, in the graph's order."""
    found = structure(graph)
    options = {choice.name: len(choice.options) for choice in graph.choices}
    blocks: dict[str, frozenset[str]] = {}
    for path, entries, guards in units(found.root.entries, "", frozenset()):
        whole = reads_of({path: (list(ops_in(entries)), guards)}, found.tensors)
        layers = {inner: (ops, reads) for inner, ops, reads in layers_of(entries, path, guards)}
        parts = reads_of(layers, found.tensors)
        blocks |= parts if MANY < most(whole, options) > most(parts, options) else whole
    order = {choice.name: number for number, choice in enumerate(graph.choices)}
    return {path: tuple(sorted(reads & order.keys(), key=order.__getitem__)) for path, reads in blocks.items()}


def reads_of(
    blocks: Mapping[str, tuple[list[OpEntry], frozenset[str]]], tensors: Mapping[str, Tensor]
) -> dict[str, frozenset[str]]:
    """The choices that blocks read: those of their guards and of their tensors. Blocks without weights are left out."""
    found: dict[str, frozenset[str]] = {}
    for path, (entries, guards) in blocks.items():
        ops = [entry.op for entry in entries]
        if any(has_weights(op, tensors) for op in ops):
            ends = [tensors[name] for op in ops for name in (*op.inputs, *op.outputs)]
            found[path] = guards | choices_read(ops, ends)
    return found


def most(blocks: Mapping[str, frozenset[str]], options: Mapping[str, int]) -> int:
    """The most combinations of options that one of some blocks has."""
    return max((prod(options[name] for name in reads) for reads in blocks.values()), default=0)


def units(
    entries: tuple[Entry, ...], path: str, guards: frozenset[str]
) -> Iterator[tuple[str, tuple[Entry, ...], frozenset[str]]]:
    """The blocks among some entries: path, what is inside, and the choices that decide whether it is there."""
    for entry in entries:
        if isinstance(entry, Region):
            yield from units(entry.entries, path, guards | free(entry.guard))
            continue
        here = f"{path}.{entry.attribute}" if path else entry.attribute
        if isinstance(entry, OpEntry):
            yield here, (entry,), guards
        elif not path and any(isinstance(inner, Part) for inner in walk(entry.entries)):
            yield from units(entry.entries, here, guards)
        else:
            yield here, entry.entries, guards


def layers_of(
    entries: tuple[Entry, ...], path: str, guards: frozenset[str]
) -> Iterator[tuple[str, list[OpEntry], frozenset[str]]]:
    """The layers inside a block; what stands in regions and inner blocks has their names and guards."""
    for entry in entries:
        if isinstance(entry, Region):
            yield from layers_of(entry.entries, path, guards | free(entry.guard))
        elif isinstance(entry, OpEntry):
            yield f"{path}.{entry.attribute}", [entry], guards
        else:
            yield from layers_of(entry.entries, f"{path}.{entry.attribute}", guards)


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
