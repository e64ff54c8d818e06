"""A picture as blocks and arrows, for formats that place them themselves; equal neighbours stand once."""

from __future__ import annotations

from dataclasses import dataclass

from specc.analysis.extent import percent
from specc.analysis.picture.collapse import collapse
from specc.analysis.picture.view import Cell, Picture


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One box: its number, its lines of text, whether it may be absent, whether it is here."""

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


def blocks(picture: Picture) -> tuple[tuple[Group, ...], tuple[Arrow, ...]]:
    """Lanes with their blocks, and the arrows between them. Block 0 is what comes in."""
    groups: list[Group] = []
    arrows: list[Arrow] = []
    number = 0
    before_path = False
    waiting: list[tuple[int, str, bool]] = []
    for at, lane in enumerate(picture.lanes):
        inside: list[Block] = []
        for unit in collapse(lane.units, 2):
            first = number + 1
            for cell in unit.cells:
                number += 1
                arrows.append(Arrow(number - 1, number, "", False, before_path and cell.on_path))
                arrows.extend(Arrow(source, number, label, True, path) for source, label, path in waiting)
                waiting = []
                optional = unit.is_optional(number - first)
                inside.append(Block(number, words(cell, unit.count), optional, cell.present, cell.on_path))
                before_path = cell.on_path or number == 0
                ended = [d for d in unit.detours if d.last == number - first]
                waiting = [(first + d.first - 1, d.label, d.on_path) for d in ended]
        notes = f", {', '.join(lane.notes)}" if lane.notes else ""
        groups.append(Group(at, f"{lane.name}: {lane.shape}, {percent(lane.share)} of MACs{notes}", tuple(inside)))
    return tuple(groups), tuple(arrows)


def words(cell: Cell, times: int) -> tuple[str, ...]:
    """A block's name, its operations, its share of the MACs."""
    name = f"{cell.name}–{cell.last}" if cell.last and cell.last != cell.name else cell.name
    count = times * cell.count
    first = f"{name} ×{count}" if count > 1 else name
    boxes = [f"{chip.label} {chip.size}" for chip in cell.chips if chip.shape == "box"]
    shown = boxes if len(boxes) <= 5 else [*boxes[:4], "…"]
    return (f"{first} {cell.block}".strip(), ", ".join(shown), f"{percent(count * cell.share)} of MACs")
