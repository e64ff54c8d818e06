"""A picture as blocks and arrows, for formats that place them themselves; equal neighbours stand once."""

from __future__ import annotations

from dataclasses import replace

from specc.frozen import frozen
from specc.ir.extent import percent
from specc.picture.collapse import collapse
from specc.picture.view import Cell, Detour, Picture


@frozen
class Block:
    """One box: its lines of text (none where ways only meet), whether it may be absent, whether it is here."""

    number: int
    lines: tuple[str, ...]
    optional: bool
    present: bool


@frozen
class Group:
    """A lane with its blocks."""

    number: int
    title: str
    blocks: tuple[Block, ...]


@frozen
class Arrow:
    """From a block to a later one; dashed, with its condition, where it leads around others."""

    source: int
    target: int
    label: str
    dashed: bool


class Chain:
    """Blocks and arrows while they are made. Block 0 is what comes in.

    last     the block that the next one goes on from
    waiting  the ways around that end at the next block
    """

    def __init__(self) -> None:
        self.number = 0
        self.last = 0
        self.arrows: list[Arrow] = []
        self.waiting: list[Arrow] = []

    def add(self, lines: tuple[str, ...] = (), optional: bool = False, present: bool = True) -> Block:
        """The next block, with the arrows that end there."""
        self.number += 1
        self.arrows.append(Arrow(self.last, self.number, "", False))
        self.arrows.extend(replace(arrow, target=self.number) for arrow in self.waiting)
        self.waiting = []
        self.last = self.number
        return Block(self.number, lines, optional, present)


def blocks(picture: Picture) -> tuple[tuple[Group, ...], tuple[Arrow, ...]]:
    """Lanes with their blocks, and the arrows between them.

    Where one way around ends and another begins stands a block without words, so that both can be taken.
    """
    groups: list[Group] = []
    chain = Chain()
    for at, lane in enumerate(picture.lanes):
        inside: list[Block] = []
        for unit in collapse(lane.units, 2):
            starts: dict[Detour, int] = {}
            optional = unit.optional()
            firsts, lasts = by_ends(unit.detours)
            for place, cell in enumerate(unit.cells):
                begins = firsts.get(place, [])
                if begins and chain.waiting:
                    inside.append(chain.add())
                starts.update(dict.fromkeys(begins, chain.last))
                lines = words(cell, unit.count)
                inside.append(chain.add(lines, place in optional, cell.present))
                ended = lasts.get(place, [])
                chain.waiting = [Arrow(starts[d], 0, f"unless {d.label}", True) for d in ended]
        notes = f", {', '.join(lane.notes)}" if lane.notes else ""
        groups.append(Group(at, f"{lane.name}: {lane.shape}, {percent(lane.share)} of MACs{notes}", tuple(inside)))
    if chain.waiting and groups:
        groups[-1] = replace(groups[-1], blocks=(*groups[-1].blocks, chain.add()))
    return tuple(groups), tuple(chain.arrows)


def by_ends(detours: tuple[Detour, ...]) -> tuple[dict[int, list[Detour]], dict[int, list[Detour]]]:
    """The detours by the cells they begin before, and by those they end behind."""
    firsts: dict[int, list[Detour]] = {}
    lasts: dict[int, list[Detour]] = {}
    for detour in detours:
        firsts.setdefault(detour.first, []).append(detour)
        lasts.setdefault(detour.last, []).append(detour)
    return firsts, lasts


def words(cell: Cell, times: int) -> tuple[str, ...]:
    """A block's name, its operations, its share of the MACs."""
    name = f"{cell.name}–{cell.last}" if cell.last and cell.last != cell.name else cell.name
    count = times * cell.count
    first = f"{name} ×{count}" if count > 1 else name
    boxes = [f"{chip.label} {chip.size}" for chip in cell.chips if chip.shape == "box"]
    shown = boxes if len(boxes) <= 5 else [*boxes[:4], "…"]
    return (f"{first} {cell.block}".strip(), ", ".join(shown), f"{percent(count * cell.share)} of MACs")
