"""Where everything in a picture stands, in pixels. Coordinates of a cell are relative to where its first row begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from specc.analysis.picture.collapse import collapse
from specc.analysis.picture.view import ENTRY, Cell, Chip, Lane, Link, Picture, Unit

CHIP_W: Final = 50
"""At least; a chip grows with its words."""
CHIP_H: Final = 34
ROUND: Final = 15
"""The diameter of the circle of a sum."""
GAP: Final = 8
PAD: Final = 8
TITLE: Final = 19
STEP: Final = 50
"""From one row of chips to the next."""
ARC: Final = 8
"""From one arc above the chips to the next."""
BETWEEN: Final = 17
"""Between two cells; `MORE` where a detour begins or ends there."""
MORE: Final = 9
LABEL: Final = 172
"""What a lane's name and figures take."""
MARGIN: Final = 20
FULL: Final = 1600
DETOUR: Final = 17
FOOT: Final = 16
"""Below the chips of a cell: their bars, and room."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    w: float
    h: float

    @property
    def middle(self) -> float:
        return self.y + self.h / 2

    @property
    def center(self) -> float:
        return self.x + self.w / 2


@dataclass(frozen=True, slots=True, eq=False)
class PlacedCell:
    """A cell, its chips' boxes and its links' corners around (0, 0), the middle of its left edge.

    up, down  how far its box reaches above and below that point
    """

    cell: Cell
    boxes: tuple[Box, ...]
    lines: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    up: float
    down: float


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A detour `y` below the middle of a row, around `x0` to `x1`; open at an end where it goes on in another row."""

    unit: int
    detour: int
    x0: float
    x1: float
    y: float
    open_left: bool
    open_right: bool


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Cells beside one another, each with the x of its left edge and the place of its unit in the lane."""

    cells: tuple[tuple[float, int, PlacedCell], ...]
    spans: tuple[Span, ...]
    up: float
    down: float

    @property
    def end(self) -> float:
        """Where its last cell ends."""
        x, _, placed = self.cells[-1]
        return x + placed.width


@dataclass(frozen=True, slots=True, eq=False)
class PlacedLane:
    """A lane with the units that are drawn, in rows."""

    lane: Lane
    units: tuple[Unit, ...]
    rows: tuple[Row, ...]


def place(picture: Picture, width: float = FULL) -> tuple[PlacedLane, ...]:
    """All lanes. Where a lane does not fit, equal neighbours in it are drawn once; what remains wraps."""
    return tuple(place_lane(lane, width - 2 * MARGIN - LABEL) for lane in picture.lanes)


def place_lane(lane: Lane, room: float) -> PlacedLane:
    units = lane.units
    rows = place_rows(units, room)
    for least in (3, 2):
        if len(rows) > 1:
            units = collapse(lane.units, least)
            rows = place_rows(units, room)
    return PlacedLane(lane, units, rows)


def place_rows(units: Sequence[Unit], room: float) -> tuple[Row, ...]:
    """The cells of some units in as many rows as they need; a unit is broken only where it is wider than a row."""
    flat: list[tuple[int, int, PlacedCell]] = []
    rows: list[Row] = []
    x = 0.0
    for at, unit in enumerate(units):
        cells = [place_cell(cell) for cell in unit.cells]
        gaps = [gap(unit, number) for number in range(len(cells) + 1)]
        width = sum(gaps) + sum(cell.width for cell in cells)
        if flat and x + width > room >= width:
            rows.append(row(flat, units))
            flat, x = [], 0.0
        for number, cell in enumerate(cells):
            if flat and x + gaps[number] + cell.width > room:
                rows.append(row(flat, units))
                flat, x = [], 0.0
            flat.append((at, number, cell))
            x += gaps[number] + cell.width
        x += gaps[-1]
    if flat:
        rows.append(row(flat, units))
    return tuple(rows)


def gap(unit: Unit, number: int) -> float:
    """The room before the cell of this number in a unit, or behind its last: half of `BETWEEN` at the unit's ends."""
    turns = any(number in (detour.first, detour.last + 1) for detour in unit.detours)
    inner = 0 < number < len(unit.cells)
    return (BETWEEN if inner else BETWEEN / 2) + ((MORE if inner else MORE / 2) if turns else 0)


def row(flat: Sequence[tuple[int, int, PlacedCell]], units: Sequence[Unit]) -> Row:
    """One row: the x of its cells, the detours below them."""
    cells: list[tuple[float, int, PlacedCell]] = []
    here: dict[int, list[tuple[int, float, float]]] = {}
    x = -gap(units[flat[0][0]], flat[0][1])
    for at, number, cell in flat:
        x += gap(units[at], number)
        cells.append((x, at, cell))
        here.setdefault(at, []).append((number, x, x + cell.width))
        x += cell.width + (gap(units[at], number + 1) if number + 1 == len(units[at].cells) else 0)
    deepest = {at: max(cell.down for _, unit, cell in cells if unit == at) for at in here}
    spans: list[Span] = []
    for at, numbers in here.items():
        below: list[tuple[int, int, int]] = []
        for index, detour in enumerate(units[at].detours):
            inside = [entry for entry in numbers if detour.first <= entry[0] <= detour.last]
            level = 1 + max((lv for a, b, lv in below if a <= detour.last and detour.first <= b), default=-1)
            below.append((detour.first, detour.last, level))
            if inside:
                left, right = inside[0][0] > detour.first, inside[-1][0] < detour.last
                y = deepest[at] + DETOUR * (level + 1) - 6
                spans.append(Span(at, index, inside[0][1], inside[-1][2], y, left, right))
    down = max((*deepest.values(), *(span.y + 9 for span in spans)))
    return Row(tuple(cells), tuple(spans), max(cell.up for _, _, cell in cells), down)


def place_cell(cell: Cell) -> PlacedCell:
    """Chips in columns by what they depend on, in rows so that none covers another."""
    columns, rows = grid(cell)
    widths = [0.0] * (max(columns) + 1)
    for chip, column in zip(cell.chips, columns, strict=True):
        widths[column] = max(widths[column], size_of(chip)[0])
    lefts: list[float] = []
    x = float(PAD)
    for width in widths:
        lefts.append(x)
        x += width + GAP
    boxes = tuple(box(chip, lefts[c], widths[c], r) for chip, c, r in zip(cell.chips, columns, rows, strict=True))
    lines, arcs = wires(cell.links, boxes, columns, rows)
    title = title_width(cell)
    width = max(x - GAP + PAD, title)
    words = TITLE if cell.name or cell.count > 1 or cell.last else 7
    up = CHIP_H / 2 + words + (ARC * arcs + 3 if arcs else 2)
    return PlacedCell(cell, boxes, lines, width, up, STEP * max(rows) + CHIP_H / 2 + FOOT)


def title_width(cell: Cell) -> float:
    """Pixels that the words over a cell need."""
    words = len(cell.name) + (len(cell.last) + 1 if cell.last else 0)
    return min(6.5 * words + 5.6 * len(cell.block) + 2 * PAD + (44 if cell.count > 1 or cell.last else 8), 175)


def size_of(chip: Chip) -> tuple[float, float]:
    if chip.shape != "box":
        return ROUND, ROUND
    return min(90, max(CHIP_W, 6.3 * len(chip.label) + 7, 5.9 * len(chip.size) + 6)), CHIP_H


def box(chip: Chip, left: float, room: float, row: int) -> Box:
    w, h = size_of(chip)
    return Box(left + (room - w) / 2, STEP * row - h / 2, w, h)


def grid(cell: Cell) -> tuple[list[int], list[int]]:
    """The column and the row of every chip: it goes on in the row of its first source where that is free."""
    sources: list[list[int]] = [[] for _ in cell.chips]
    for link in cell.links:
        sources[link.target].append(link.source)
    columns: list[int] = []
    rows: list[int] = []
    ends: list[int] = []
    for chip_sources in sources:
        column = 1 + max((columns[s] for s in chip_sources if s != ENTRY), default=-1)
        wanted = [rows[s] for s in chip_sources if s != ENTRY][:1] or [0]
        free = (r for r in (*wanted, *range(len(ends))) if r < len(ends) and ends[r] < column)
        row = next(free, len(ends))
        if row == len(ends):
            ends.append(-1)
        ends[row] = column
        columns.append(column)
        rows.append(row)
    return columns or [0], rows or [0]


Line = tuple[tuple[float, float], ...]


def wires(
    links: Iterable[Link], boxes: Sequence[Box], columns: Sequence[int], rows: Sequence[int]
) -> tuple[tuple[Line, ...], int]:
    """The corners of every link, and how many arcs there are above the first row."""
    taken = {(row, column) for row, column in zip(rows, columns, strict=True)}
    arcs: dict[int, int] = {}
    lines: list[Line] = []
    for link in links:
        target = boxes[link.target]
        start, row, column = (0.0, 0.0), 0, -1
        if link.source != ENTRY:
            source = boxes[link.source]
            start, row, column = (source.x + source.w, source.middle), rows[link.source], columns[link.source]
        to_row, to_column = rows[link.target], columns[link.target]
        clear = not any((row, between) in taken for between in range(column + 1, to_column))
        if row == to_row and clear:
            lines.append((start, (target.x, target.middle)))
        elif row == to_row:
            level = arcs.setdefault(link.source, len(arcs)) if row == 0 else 0
            lines.append(tuple(over(start, target, STEP * row - CHIP_H / 2 - 5 - ARC * level)))
        elif target.w < CHIP_W and not clear:
            lines.append(tuple(over(start, target, STEP * to_row - CHIP_H / 2 - 4)))
        elif target.w < CHIP_W:
            edge = target.y + target.h if row > to_row else target.y
            lines.append((start, (target.center, start[1]), (target.center, edge)))
        else:
            turn = start[0] + GAP / 2
            lines.append((start, (turn, start[1]), (turn, target.middle), (target.x, target.middle)))
    return tuple(lines), len(arcs)


def over(start: tuple[float, float], target: Box, height: float) -> Iterator[tuple[float, float]]:
    """The corners of an arc over what stands between."""
    turn = start[0] + GAP / 2
    yield start
    yield turn, start[1]
    yield turn, height
    if target.w < CHIP_W:
        yield target.center, height
        yield target.center, target.y
    else:
        yield target.x - GAP / 2, height
        yield target.x - GAP / 2, target.middle
        yield target.x, target.middle
