"""Where the operations of a graph stand in the spec's nesting."""

from __future__ import annotations

from dataclasses import dataclass

from specc.frozen import frozen
from specc.ir.graph import Graph, Scope


@dataclass(frozen=True, slots=True)
class Place:
    """The stage and the innermost block of an operation, "" for none."""

    stage: str
    block: str


@dataclass(frozen=True, slots=True)
class Part:
    """The stem, a stage or a head: its path, its kind, the number of its outermost block calls."""

    name: str
    kind: str
    blocks: int


@frozen
class Nesting:
    """The places of all operations by their names, and the parts of the network in their order."""

    places: dict[str, Place]
    parts: tuple[Part, ...]


def nesting(graph: Graph) -> Nesting:
    """Walks the scopes once, without recursion: specs may nest deeply."""
    places: dict[str, Place] = {}
    parts: dict[str, tuple[str, int]] = {}
    stack: list[tuple[str | Scope, Place]] = [(graph.root, Place("", ""))]
    while stack:
        item, place = stack.pop()
        if isinstance(item, str):
            places[item] = place
            continue
        if item.kind in ("stem", "stage", "head") or (item.kind == "exit" and not place.stage):
            place = Place(item.path, place.block)
            parts.setdefault(item.path, (item.kind, 0))
        elif item.kind == "block":
            if not place.block and place.stage in parts:
                kind, blocks = parts[place.stage]
                parts[place.stage] = (kind, blocks + 1)
            place = Place(place.stage, item.path)
        stack.extend((inner, place) for inner in reversed(item.items))
    return Nesting(places, tuple(Part(name, kind, blocks) for name, (kind, blocks) in parts.items()))
