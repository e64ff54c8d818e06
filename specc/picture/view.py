"""What a picture shows, before anything has a place: plain text and numbers, nothing of the graph."""

from __future__ import annotations

from dataclasses import dataclass

from specc.frozen import frozen
from specc.ir.operator import Family, Shape

ENTRY = -1
"""Stands for what arrives at a cell, as the source of a link."""


@frozen
class Chip:
    """One visible operation, with the norms, activations and the like that belong to it.

    shape     a box, or the circle of an addition, of another meeting of tensors, or the diamond of a select
    label     what it does: `3×3 /2`; `size` its channels: `16–24`
    elastic   whether a choice decides its channels; `elastic_label` likewise what it does
    share     of the network's MACs, 0 to 1
    level     its importance from 0 to 1, and `dot` that of the feature map it ends in; None where there is none
    optional  whether it may be absent while its cell is present
    hover     lines of text
    """

    name: str
    shape: Shape
    family: Family
    label: str
    size: str
    elastic: bool
    elastic_label: bool
    macs: int
    params: int
    share: float
    level: float | None
    dot: float | None
    important: bool
    on_path: bool
    optional: bool
    present: bool
    hover: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A tensor between two chips of a cell, by their places in it; from `ENTRY` what arrives at the cell."""

    source: int
    target: int
    on_path: bool
    optional: bool


@frozen
class Cell:
    """A block, or a run of operations that stand in no block. `count` equal ones are drawn once.

    source  the name of the cell it goes on from, "" where that is the one before it
    taps    names of further tensors that it reads, with the chip that does
    """

    name: str
    block: str
    chips: tuple[Chip, ...]
    links: tuple[Link, ...]
    taps: tuple[tuple[int, str], ...]
    source: str
    macs: int
    params: int
    share: float
    present: bool
    on_path: bool
    hover: tuple[str, ...]
    signature: object
    count: int = 1
    last: str = ""


@frozen
class Detour:
    """The way around some cells of a unit, from the cell at `first` to that at `last`. `taken` in what is drawn."""

    first: int
    last: int
    label: str
    saves: str
    taken: bool
    on_path: bool
    hover: tuple[str, ...]


@frozen
class Unit:
    """Cells that stand together: one cell, or all that one condition switches. `count` equal ones are drawn once."""

    cells: tuple[Cell, ...]
    detours: tuple[Detour, ...] = ()
    count: int = 1

    def optional(self) -> frozenset[int]:
        """The numbers of the cells around which a detour leads. The last detours are the widest."""
        found: set[int] = set()
        for detour in reversed(self.detours):
            if detour.first not in found:
                found.update(range(detour.first, detour.last + 1))
        return frozenset(found)


@frozen
class Lane:
    """The stem, a stage or a head; `notes` say which of its dimensions are elastic."""

    name: str
    kind: str
    shape: str
    macs: int
    params: int
    share: float
    notes: tuple[str, ...]
    units: tuple[Unit, ...]


@frozen
class Picture:
    """The whole network.

    most   the largest share of the MACs that a chip has
    scale  the lowest and the highest TAS, where there is importance to be shown
    """

    name: str
    facts: tuple[str, ...]
    choices: tuple[str, ...]
    lanes: tuple[Lane, ...]
    most: float
    scale: tuple[float, float] | None
    best: str
    has_detours: bool
