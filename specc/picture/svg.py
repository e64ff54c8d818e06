"""A picture as one SVG document: lanes from top to bottom, their cells from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from specc.ir.extent import percent, short
from specc.picture.draw import cut, n, path, rect, safe, text, title
from specc.picture.legend import legend, legend_height, legend_width
from specc.picture.place import (
    FULL,
    GAP,
    LABEL,
    MARGIN,
    MORE,
    Box,
    PlacedCell,
    PlacedLane,
    Row,
    Span,
    place,
)
from specc.picture.style import css, level_class, text_class
from specc.picture.view import Chip, Detour, Picture, Unit

SPACE = 16
"""Between two lanes."""
ROWS = 12
"""Between two rows of a lane."""
LEFT = MARGIN + LABEL


@dataclass(frozen=True, slots=True)
class Reached:
    """Where the last cell ended, whether it is present, and whether the best path comes out there."""

    x: float
    y: float
    present: bool
    passed: bool


@dataclass(frozen=True, slots=True)
class Around:
    """Of a unit's cells those that may be left out; and where the best path turns into a detour, and comes back."""

    optional: frozenset[int]
    enters: frozenset[int]
    leaves: frozenset[int]


def around(unit: Unit) -> Around:
    taken = [detour for detour in unit.detours if detour.on_path]
    return Around(unit.optional(), frozenset(d.first for d in taken), frozenset(d.last for d in taken))


@dataclass(slots=True, eq=False)
class Sheet:
    """What is drawn so far: grounds below, then lines, then everything else; and where the next line starts."""

    picture: Picture
    ground: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    front: list[str] = field(default_factory=list)
    snake: Reached | None = None


def svg(picture: Picture) -> str:
    """The document. The same picture gives the same bytes."""
    lanes = place(picture)
    width = natural_width(picture, lanes)
    sheet = Sheet(picture)
    y = header(sheet, width)
    for lane in lanes:
        y = draw_lane(sheet, lane, y, width) + SPACE
    sheet.front.extend(legend(picture, y))
    height = y + legend_height(picture) + MARGIN
    body = "\n".join([*sheet.ground, *sheet.lines, *sheet.front])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="specc" viewBox="0 0 {n(width)} {n(height)}" '
        f'width="{n(width)}" height="{n(height)}" role="img" aria-label="{safe(picture.name)}">\n'
        f"<style>\n{css()}</style>\n"
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>\n'
        f"{rect(0, 0, width, height, 'bg')}\n{body}\n</svg>\n"
    )


def natural_width(picture: Picture, lanes: Sequence[PlacedLane]) -> float:
    """As wide as the widest row or the legend, at most `FULL` and at least half of it."""
    rows = max((row.end for lane in lanes for row in lane.rows), default=0.0)
    return min(float(FULL), max(FULL / 2, LEFT + rows + MARGIN + 30, legend_width(picture)))


def header(sheet: Sheet, width: float) -> float:
    """The network's name and figures; gives the y below them."""
    picture = sheet.picture
    y = MARGIN + 20.0
    sheet.front.append(text(MARGIN, y, cut(picture.name, width - 2 * MARGIN, 24), "h1"))
    y += 21
    sheet.front.append(text(MARGIN, y, cut(" · ".join(picture.facts), width - 2 * MARGIN), "t"))
    if picture.choices:
        y += 18
        line = f"everywhere: {listed(picture.choices, int((width - 2 * MARGIN) / 6.5) - 12)}"
        sheet.front.append(text(MARGIN, y, cut(line, width - 2 * MARGIN, 11.5), "note"))
    return y + 16


def listed(words: Sequence[str], most: int) -> str:
    """As many of some words as `most` characters hold, and how many more there are."""
    for count in range(len(words), 1, -1):
        rest = f" · and {len(words) - count} more" if count < len(words) else ""
        if sum(map(len, words[:count])) + 3 * (count - 1) + len(rest) <= most:
            return " · ".join(words[:count]) + rest
    return words[0] + (f" · and {len(words) - 1} more" if len(words) > 1 else "")


def draw_lane(sheet: Sheet, placed: PlacedLane, y: float, width: float) -> float:
    """A lane from `y` down; gives the y below it."""
    top = y
    y += 10
    ways = [around(unit) for unit in placed.units]
    numbers: dict[int, int] = {}
    for index, row in enumerate(placed.rows):
        base = y + row.up
        draw_row(sheet, placed, row, base, top - SPACE / 2 if index == 0 else y - ROWS / 2, ways, numbers)
        y = base + row.down + (ROWS if index + 1 < len(placed.rows) else 10)
    bottom = max(y, top + 82 + 14 * len(wrapped(placed.lane.notes)))
    sheet.ground.append(rect(MARGIN - 8, top, width - 2 * MARGIN + 16, bottom - top, "lane", 8))
    sheet.front.extend(figures(sheet, placed, top))
    return bottom


def figures(sheet: Sheet, placed: PlacedLane, top: float) -> Iterator[str]:
    """A lane's name, shape and costs at its left."""
    lane = placed.lane
    y = top + 24
    lines = [lane.name, f"ends in {lane.shape}", f"{short(lane.macs)} MACs", f"{short(lane.params)} parameters"]
    yield f"<g>{title([*lines, *lane.notes])}"
    yield text(MARGIN + 4, y, cut(lane.name, LABEL - 30, 15), "h2")
    yield text(MARGIN + 4, y + 17, cut(lane.shape, LABEL - 20), "t")
    yield rect(MARGIN + 4, y + 26, 84, 6, "track", 3)
    if lane.share > 0:
        yield rect(MARGIN + 4, y + 26, max(1.5, 84 * lane.share), 6, "bar", 3 if lane.share > 0.05 else 0)
    yield text(MARGIN + 94, y + 33, percent(lane.share), "s")
    yield text(MARGIN + 4, y + 48, f"{short(lane.macs)} MACs · {short(lane.params)} params", "s")
    for at, line in enumerate(wrapped(lane.notes)):
        yield text(MARGIN + 4, y + 64 + 14 * at, cut(line, LABEL - 16), "note")
    yield "</g>"


def wrapped(notes: Sequence[str]) -> list[str]:
    """Notes beside one another where two fit."""
    lines: list[str] = []
    for note in notes:
        if lines and len(lines[-1]) + len(note) < 22:
            lines[-1] += f" · {note}"
        else:
            lines.append(note)
    return lines


def draw_row(
    sheet: Sheet, placed: PlacedLane, row: Row, base: float, turn: float, ways: list[Around], numbers: dict[int, int]
) -> None:
    """One row of cells, what connects them, and the detours below.

    turn     the height between it and the row before
    numbers  of the last cell drawn of every unit, which goes on in the next row where a unit is broken
    """
    for x, unit, cell in row.cells:
        left = LEFT + x
        number = numbers[unit] = numbers.get(unit, -1) + 1
        enters = cell.cell.on_path or number in ways[unit].enters
        arrive(sheet, cell, (left, base), base - row.up, turn, enters)
        draw_cell(sheet, cell, left, base, row.up, placed.units[unit].count, number in ways[unit].optional)
        passed = cell.cell.on_path or number in ways[unit].leaves
        sheet.snake = Reached(left + cell.width, base, cell.cell.present, passed)
    for span in row.spans:
        draw_detour(sheet, placed.units[span.unit].detours[span.detour], span, base)


def arrive(sheet: Sheet, cell: PlacedCell, to: tuple[float, float], top: float, turn: float, enters: bool) -> None:
    """The line from the cell before, on the best path if it `enters` here; a name for what comes from elsewhere."""
    x, y = to
    if cell.cell.source:
        words = cut(f"from {cell.cell.source}", 120)
        sheet.front.append(text(x, top - 2, words, "kind"))
        sheet.lines.append(path([(x - 10, y), (x, y)], "wire", head=True))
        return
    if sheet.snake is None:
        sheet.lines.append(path([(x - 14, y), (x, y)], "wire", head=True))
        return
    last = sheet.snake
    best = last.passed and enters
    off = "" if last.present and cell.cell.present else " off"
    if last.y == y and last.x < x:
        sheet.lines.append(path([(last.x, y), (x, y)], ("best" if best else "wire") + off, head=not best))
    else:
        out, edge = last.x + 8 + MORE, x - 8 - MORE
        corners = [(last.x, last.y), (out, last.y), (out, turn), (edge, turn), (edge, y), (x, y)]
        sheet.lines.append(path(corners, "best" if best else "thin", 7, head=not best))


def draw_cell(sheet: Sheet, placed: PlacedCell, x: float, y: float, up: float, times: int, optional: bool) -> None:
    """A block's box, `up` above the middle of its row, with its chips and the lines between them."""
    cell = placed.cell
    out = sheet.front
    out.append("<g>" if cell.present else '<g class="off">')
    top, height = y - up, up + placed.down
    count = times * cell.count
    if count > 1:
        for shift in (6, 3):
            out.append(rect(x + shift, top - shift, placed.width, height, "under", 6))
    out.append(f"<g>{title(cell.hover)}{rect(x, top, placed.width, height, 'cell opt' if optional else 'cell', 6)}")
    name = f"{cell.name}–{cell.last}" if cell.last and cell.last != cell.name else cell.name
    room = placed.width - 16 - (34 if count > 1 else 0)
    shown = cut(name, room, 11.5)
    out.append(text(x + 8, top + 14, shown, "name"))
    rest = room - 6.5 * len(shown) - 8
    if cell.block and rest > 30:
        out.append(text(x + 8 + 6.5 * len(shown) + 6, top + 14, cut(cell.block, rest, 10), "kind"))
    if count > 1:
        out.append(text(x + placed.width - 7, top + 14, f"×{count}", "many", ' text-anchor="end"'))
    out.append("</g>")
    for link, points in zip(cell.links, placed.lines, strict=True):
        kind = "best" if link.on_path else "detour" if link.optional else "wire"
        out.append(path([(x + a, y + b) for a, b in points], kind))
    if cell.chips:
        last = placed.boxes[-1]
        kind = "best" if cell.chips[-1].on_path else "wire"
        out.append(path([(x + last.x + last.w, y + last.middle), (x + placed.width, y)], kind))
    for chip, spot in zip(cell.chips, placed.boxes, strict=True):
        out.extend(draw_chip(sheet.picture, chip, Box(x + spot.x, y + spot.y, spot.w, spot.h)))
    for at, name in cell.taps:
        spot = placed.boxes[at]
        out.append(text(x + spot.x, y + spot.y - 2, cut(f"← {name}", 70, 9), "kind"))
    out.append("</g>")


def draw_chip(picture: Picture, chip: Chip, spot: Box) -> Iterator[str]:
    """One operation: its box with what it does and its channels, the bar of its MACs, the dot of its feature map."""
    off = " off" if not chip.present and chip.optional else ""
    yield f'<g class="op{off}">{title(chip.hover)}'
    edge = (" on" if chip.on_path else "") + (" opt" if chip.optional else "")
    if chip.shape == "box":
        fill = chip.family if chip.level is None else level_class(chip.level)
        yield rect(spot.x, spot.y, spot.w, spot.h, f"chip {fill}{edge}", 9 if chip.family == "depthwise" else 3)
        light, ink = text_class(chip.level), " e" if chip.level is None else " b"
        label, size = (f"l{ink}" if chip.elastic_label else "l"), (f"c{ink}" if chip.elastic else "c")
        yield text(spot.center, spot.y + 14.5, cut(chip.label, spot.w + 4, 11), label + light)
        yield text(spot.center, spot.y + 27.5, cut(chip.size, spot.w + 4, 10), size + light)
        if chip.macs:
            yield rect(spot.x, spot.y + spot.h + 3, spot.w, 4, "track", 2)
            length = max(1.0, spot.w * chip.share / (picture.most or 1))
            yield rect(spot.x, spot.y + spot.h + 3, length, 4, "bar", 2 if length > 4 else 0)
        if chip.dot is not None:
            yield circle(spot.x + spot.w + GAP / 2, spot.middle, 3.6, f"dot {level_class(chip.dot)}")
    else:
        fill = "other" if chip.dot is None else level_class(chip.dot)
        x, y, r = spot.center, spot.middle, spot.w / 2
        if chip.shape == "switch":
            points = f"{n(x - r)},{n(y)} {n(x)},{n(y - r)} {n(x + r)},{n(y)} {n(x)},{n(y + r)}"
            yield f'<polygon points="{points}" class="chip {fill}{edge}"/>'
        else:
            yield circle(x, y, r, f"chip {fill}{edge}")
            yield sign(chip, x, y)
    yield "</g>"


def sign(chip: Chip, x: float, y: float) -> str:
    """A plus for a sum, two bars for a concatenation."""
    light = chip.dot is not None and text_class(chip.dot)
    name = "plus over" if light else "plus"
    if chip.shape == "sum":
        return f'<path d="M{n(x - 4)} {n(y)}H{n(x + 4)}M{n(x)} {n(y - 4)}V{n(y + 4)}" class="{name}"/>'
    return f'<path d="M{n(x - 2)} {n(y - 4)}V{n(y + 4)}M{n(x + 2)} {n(y - 4)}V{n(y + 4)}" class="{name}"/>'


def circle(x: float, y: float, r: float, name: str) -> str:
    return f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(r)}" class="{name}"/>'


def draw_detour(sheet: Sheet, detour: Detour, span: Span, base: float) -> None:
    """The dashed way below some cells, with its condition and what it saves."""
    y = base + span.y
    x0, x1 = LEFT + span.x0 - MORE + 1, LEFT + span.x1 + MORE - 1
    points = [(x0, y)] if span.open_left else [(x0, base), (x0, y)]
    points += [(x1, y)] if span.open_right else [(x1, y), (x1, base + 1)]
    kind = "detour taken" if detour.taken else "best" if detour.on_path else "detour"
    sheet.front.append(f"<g>{title(detour.hover)}{path(points, kind, 7, head=not span.open_right)}")
    room = x1 - x0 - 20
    wordings = (f"unless {detour.label} {detour.saves}", f"unless {detour.label}", detour.label)
    words = cut(next((words for words in wordings if len(words) * 5.6 <= room), detour.label), room, 10.5)
    half = 2.75 * len(words) + 4
    middle = (x0 + x1) / 2
    sheet.front.append(rect(middle - half, y - 7, 2 * half, 14, "gap"))
    sheet.front.append(text(middle, y + 3.5, words, "dl") + "</g>")
