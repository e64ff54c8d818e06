"""Where everything in a picture stands, in pixels. Coordinates of a cell are relative to where its first row begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from specc.frozen import frozen
from specc.picture.collapse import collapse
from specc.picture.view import ENTRY, Cell, Chip, Lane, Link, Picture, Unit

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


@frozen
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


@frozen
class Span:
    """A detour `y` below the middle of a row, around `x0` to `x1`; open at an end where it goes on in another row."""

    unit: int
    detour: int
    x0: float
    x1: float
    y: float
    open_left: bool
    open_right: bool


@frozen
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


@frozen
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


@frozen
class Piece:
    """A cell that is to be put in a row: its unit, its number there, the room before and behind it."""

    unit: int
    number: int
    cell: PlacedCell
    before: float
    behind: float


def place_rows(units: Sequence[Unit], room: float) -> tuple[Row, ...]:
    """The cells of some units in as many rows as they need; a unit is broken only where it is wider than a row."""
    levels = [heights(unit) for unit in units]
    flat: list[Piece] = []
    rows: list[Row] = []
    x = 0.0
    for at, unit in enumerate(units):
        pieces = pieces_of(at, unit)
        width = sum(piece.before + piece.cell.width + piece.behind for piece in pieces)
        if flat and x + width > room >= width:
            rows.append(row(flat, units, levels))
            flat, x = [], 0.0
        for piece in pieces:
            if flat and x + piece.before + piece.cell.width > room:
                rows.append(row(flat, units, levels))
                flat, x = [], 0.0
            flat.append(piece)
            x += piece.before + piece.cell.width + piece.behind
    if flat:
        rows.append(row(flat, units, levels))
    return tuple(rows)


def pieces_of(at: int, unit: Unit) -> list[Piece]:
    """The cells of a unit; half of `BETWEEN` is before the first and behind the last."""
    turns = {number for detour in unit.detours for number in (detour.first, detour.last + 1)}
    end = len(unit.cells)

    def gap(number: int) -> float:
        more = MORE if number in turns else 0
        return BETWEEN + more if 0 < number < end else (BETWEEN + more) / 2

    placed = (place_cell(cell) for cell in unit.cells)
    return [Piece(at, n, cell, gap(n), gap(end) if n + 1 == end else 0.0) for n, cell in enumerate(placed)]


def heights(unit: Unit) -> list[int]:
    """For every detour how many lie between it and the cells; the innermost come first."""
    top = [0] * len(unit.cells)
    found = []
    for detour in unit.detours:
        inside = range(detour.first, detour.last + 1)
        level = max(top[number] for number in inside)
        found.append(level)
        for number in inside:
            top[number] = level + 1
    return found


def row(flat: Sequence[Piece], units: Sequence[Unit], levels: Sequence[Sequence[int]]) -> Row:
    """One row: the x of its cells, the detours below them."""
    cells: list[tuple[float, int, PlacedCell]] = []
    here: dict[int, list[tuple[int, float, float]]] = {}
    deepest: dict[int, float] = {}
    x = -flat[0].before
    for piece in flat:
        x += piece.before
        end = x + piece.cell.width
        cells.append((x, piece.unit, piece.cell))
        here.setdefault(piece.unit, []).append((piece.number, x, end))
        deepest[piece.unit] = max(deepest.get(piece.unit, 0.0), piece.cell.down)
        x = end + piece.behind
    spans: list[Span] = []
    for at, entries in here.items():
        low, high = entries[0][0], entries[-1][0]
        for index, (detour, level) in enumerate(zip(units[at].detours, levels[at], strict=True)):
            if detour.last < low or detour.first > high:
                continue
            first, last = entries[max(detour.first, low) - low], entries[min(detour.last, high) - low]
            y = deepest[at] + DETOUR * (level + 1) - 6
            spans.append(Span(at, index, first[1], last[2], y, detour.first < low, detour.last > high))
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
