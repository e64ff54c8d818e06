"""A picture as blocks and arrows, for formats that place them themselves; equal neighbours stand once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from specc.analysis.extent import percent
from specc.analysis.picture.collapse import collapse
from specc.analysis.picture.view import Cell, Detour, Picture


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One box: its lines of text (none where ways only meet), whether it may be absent, whether it is here."""

    number: int
    lines: tuple[str, ...]
    optional: bool
    present: bool
    on_path: bool


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A lane with its blocks."""

    number: int
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Arrow:
    """From a block to a later one; dashed, with its condition, where it leads around others."""

    source: int
    target: int
    label: str
    dashed: bool
    on_path: bool


class Chain:
    """Blocks and arrows while they are made. Block 0 is what comes in.

    last     the block that the next one goes on from, and whether the best path leads through it
    waiting  the ways around that end at the next block
    """

    def __init__(self) -> None:
        self.number = 0
        self.last = (0, True)
        self.arrows: list[Arrow] = []
        self.waiting: list[Arrow] = []

    def add(self, lines: tuple[str, ...], optional: bool, present: bool, on_path: bool) -> Block:
        """The next block, with the arrows that end there."""
        self.number += 1
        before, passed = self.last
        self.arrows.append(Arrow(before, self.number, "", False, passed and on_path))
        self.arrows.extend(replace(arrow, target=self.number) for arrow in self.waiting)
        self.waiting = []
        self.last = (self.number, on_path)
        return Block(self.number, lines, optional, present, on_path)


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
            for place, cell in enumerate(unit.cells):
                begins = [detour for detour in unit.detours if detour.first == place]
                if begins and chain.waiting:
                    inside.append(chain.add((), False, True, bool(picture.best)))
                starts.update(dict.fromkeys(begins, chain.last[0]))
                lines = words(cell, unit.count)
                inside.append(chain.add(lines, unit.is_optional(place), cell.present, cell.on_path))
                ended = [detour for detour in unit.detours if detour.last == place]
                chain.waiting = [Arrow(starts[d], 0, f"unless {d.label}", True, d.on_path) for d in ended]
        notes = f", {', '.join(lane.notes)}" if lane.notes else ""
        groups.append(Group(at, f"{lane.name}: {lane.shape}, {percent(lane.share)} of MACs{notes}", tuple(inside)))
    if chain.waiting and groups:
        end = chain.add((), False, True, bool(picture.best))
        groups[-1] = replace(groups[-1], blocks=(*groups[-1].blocks, end))
    return tuple(groups), tuple(chain.arrows)


def words(cell: Cell, times: int) -> tuple[str, ...]:
    """A block's name, its operations, its share of the MACs."""
    name = f"{cell.name}–{cell.last}" if cell.last and cell.last != cell.name else cell.name
    count = times * cell.count
    first = f"{name} ×{count}" if count > 1 else name
    boxes = [f"{chip.label} {chip.size}" for chip in cell.chips if chip.shape == "box"]
    shown = boxes if len(boxes) <= 5 else [*boxes[:4], "…"]
    return (f"{first} {cell.block}".strip(), ", ".join(shown), f"{percent(count * cell.share)} of MACs")
