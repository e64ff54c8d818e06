"""What kind of choice a choice is, by what it decides: arguments of blocks and declared choices may have any name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specc.ir.choice import Choice, Kind
from specc.ir.expr import Var, free
from specc.ir.graph import Graph
from specc.ir.window import choices_of


def with_kinds(graph: Graph, rounds: frozenset[str], slices: frozenset[str]) -> Graph:
    """The graph, in which a choice that decides one kind of thing alone is of that kind.

    `rounds` are the choices that count the rounds of a repeat, `slices` those that cut widths or branches, which
    decide several things at once. What has a kind keeps it.
    """
    decided: dict[str, set[Kind]] = {}
    noted: tuple[tuple[str, Kind], ...] = (*((name, "depth") for name in rounds), *((name, "value") for name in slices))
    for name, kind in (*noted, *decisions(graph)):
        decided.setdefault(name, set()).add(kind)
    return graph.with_(choices=tuple(of_kind(choice, decided.get(choice.name, set())) for choice in graph.choices))


def of_kind(choice: Choice, kinds: set[Kind]) -> Choice:
    return replace(choice, kind=next(iter(kinds))) if choice.kind == "value" and len(kinds) == 1 else choice


def decisions(graph: Graph) -> Iterator[tuple[str, Kind]]:
    """Choices that sizes depend on, and what they decide there: a kernel, a width, or by how much it is multiplied."""
    for op in graph.ops:
        for name in choices_of(getattr(op.params, "kernel", 0)):
            yield name, "kernel"
    for segment in (segment for tensor in graph.tensors for segment in tensor.channels):
        if isinstance(segment.size, Var):
            yield segment.size.choice, "width"
            continue
        for name in free(segment.size):
            yield name, "expand"
