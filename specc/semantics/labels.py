"""Files of labels: which class of a coarser level each of the data's classes belongs to.

Two kinds are told apart by their first line. A table has a column for the finest classes and one a level, named after
it (or the second, where there are two):

    class,coarse
    0,4
    1,1

A taxonomy has two columns, child and parent; a level is as many steps above the finest as it stands behind it in
`labels { }`, and a class with fewer ancestors counts with its topmost:

    child,parent
    0,hound
    hound,dog

Classes are written as numbers from 0, or as names: the finest then in the data's order, others in any.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from specc.diagnostics import Findings, Rule
from specc.diagnostics.near import near
from specc.frozen import frozen
from specc.semantics.beside import ANOTHER_NAME, is_generated, taken
from specc.source import Source, Span
from specc.syntax import ast

LABELS_FILE = Rule(
    "E391",
    "labels-file",
    "a file of labels does not exist, or is outside the spec's folder tree",
    "A coarser level of the labels names a file beside the spec, or in a folder below it.\n"
    'Wrong:  labels { fine = classes; coarse = 20 from "../coarse.csv" }\n'
    'Right:  labels { fine = classes; coarse = 20 from "coarse.csv" }, copied beside the spec.',
)
BAD_LABELS = Rule(
    "E392",
    "bad-labels",
    "labels that do not fit the classes",
    "A file of labels says of each of the data's classes, once, to which class of a coarser level it belongs; every "
    "coarser\n"
    "class has a member. A taxonomy (child,parent) has no circles.\n"
    "Wrong:  class,coarse          3 classes, two of them 0\n"
    "        0,0\n"
    "        0,1\n"
    "        1,1\n"
    "Right:  class,coarse\n"
    "        0,0\n"
    "        1,1\n"
    "        2,1",
)

Read = Callable[[Path, str, str, Findings], Source | None]


@frozen
class Cell:
    """One entry of a file, without blanks and quotes."""

    text: str
    span: Span


def read_tables(supernet: ast.Supernet, folder: Path, shown: str, read: Read, findings: Findings) -> dict[str, Source]:
    """The files that a supernet's `labels` name, by the paths as written. `folder` holds the spec, called `shown`."""
    found: dict[str, Source] = {}
    root = folder.resolve()
    for statement in supernet.body.statements:
        for _, _, file in statement.levels if isinstance(statement, ast.LabelsStatement) else ():
            if file is None or file.value in found:
                continue
            try:
                path = (root / file.value).resolve()
            except (OSError, ValueError, RuntimeError):
                findings.report(LABELS_FILE, file.span, "this path can't be resolved")
                continue
            if not path.is_relative_to(root):
                help = "copy it beside the spec, or into a folder below it"
                findings.report(LABELS_FILE, file.span, "this file is outside the spec's folder", help=help)
            elif not path.is_file():
                names = [p.name for p in path.parent.glob("*.csv")] if path.parent.is_dir() else []
                help = near(path.name, sorted(names)) or "it must be in the spec's folder or below it"
                findings.report(LABELS_FILE, file.span, f"there is no file {path.name}", help=help)
            elif is_generated(path.relative_to(root)):
                findings.report(LABELS_FILE, file.span, taken(path.relative_to(root)), help=ANOTHER_NAME)
            else:
                name = path.relative_to(root).as_posix()
                source = read(path, name, (Path(shown).parent / name).as_posix(), findings)
                if source is not None:
                    found[file.value] = source
    return found


def ancestors(
    table: Source, level: ast.Name, distance: int, classes: int, count: int, findings: Findings
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The class of a level that each of the data's `classes` belongs to, in their order, and what the file calls these;
    () where they have numbers, and twice () where something is reported."""
    rows = cells(table)
    before = len(findings.diagnostics)
    if len(rows) < 2:
        findings.report(BAD_LABELS, whole(table), f"{table.name} has no rows", help="a first line, then a row a class")
        return (), ()
    head = [cell.text for cell in rows[0]]
    if head == ["child", "parent"]:
        pairs = climbed(table, rows[1:], distance, findings)
    else:
        column = column_of(rows[0], level, findings)
        pairs = [] if column is None else picked(rows, column, findings)
    if len(findings.diagnostics) > before:
        return (), ()
    finest = [child for child, _ in pairs]
    order = numbered(finest, classes, "class", table, findings)
    if len(findings.diagnostics) > before:
        return (), ()
    above = members([parent for _, parent in pairs], count, level, table, findings)
    if len(findings.diagnostics) > before:
        return (), ()
    placed = dict(zip(order, above))
    names = () if are_numbers(finest) else tuple(cell.text for cell in finest)
    return tuple(placed[number] for number in range(classes)), names


def cells(table: Source) -> list[list[Cell]]:
    """The rows of a file; empty lines are left out, and so is what follows a #."""
    rows: list[list[Cell]] = []
    for start, text in zip(table.line_starts(), table.text.split("\n")):
        line = text.partition("#")[0]
        if not line.strip():
            continue
        row, at = [], start
        for part in line.split(","):
            text = part.strip()
            first = at + len(part) - len(part.lstrip())
            row.append(Cell(text.strip('"'), Span(table, first, max(first + len(text), first + 1))))
            at += len(part) + 1
        rows.append(row)
    return rows


def whole(table: Source) -> Span:
    return Span(table, 0, min(1, len(table.text)))


def column_of(head: list[Cell], level: ast.Name, findings: Findings) -> int | None:
    """The column of a level."""
    names = [cell.text for cell in head]
    if level.name in names[1:]:
        return names.index(level.name, 1)
    if len(names) == 2:
        return 1
    listed = ", ".join(names[1:]) or "none"
    message = f"this file has no column `{level.name}`; it has {listed}"
    findings.report(BAD_LABELS, head[0].span, message, help=near(level.name, names[1:]))
    return None


def picked(rows: list[list[Cell]], column: int, findings: Findings) -> list[tuple[Cell, Cell]]:
    """The finest class and the one of a level, row by row."""
    pairs: list[tuple[Cell, Cell]] = []
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            message = f"this row has {len(row)} entries, and the first line {len(rows[0])}"
            findings.report(BAD_LABELS, row[0].span, message)
            return []
        pairs.append((row[0], row[column]))
    return pairs


def climbed(table: Source, rows: list[list[Cell]], distance: int, findings: Findings) -> list[tuple[Cell, Cell]]:
    """The finest classes of a taxonomy, which are no one's parents, each with its ancestor so many steps above."""
    parent: dict[str, Cell] = {}
    for row in rows:
        if len(row) != 2:
            findings.report(BAD_LABELS, row[0].span, f"this row has {len(row)} entries, and a taxonomy's have 2")
            return []
        child = row[0]
        if child.text in parent:
            findings.report(BAD_LABELS, child.span, f"`{child.text}` has a second parent")
            return []
        parent[child.text] = row[1]
    inner = {cell.text for cell in parent.values()}
    for row in rows:
        way, at = [row[0].text], row[1].text
        while at in parent and at not in way:
            way.append(at)
            at = parent[at].text
        if at in way:
            circle = " -> ".join([*way[way.index(at) :], at])
            findings.report(BAD_LABELS, row[0].span, f"`{at}` contains itself: {circle}")
            return []
    pairs: list[tuple[Cell, Cell]] = []
    for row in rows:
        if row[0].text not in inner:
            above = row[1]
            for _ in range(distance - 1):
                above = parent.get(above.text, above)
            pairs.append((row[0], above))
    return pairs


def numbered(found: list[Cell], count: int, what: str, table: Source, findings: Findings) -> list[int]:
    """The numbers of the finest classes: as written, or of names in their order."""
    seen: dict[str, Cell] = {}
    for cell in found:
        if cell.text in seen:
            place = [(seen[cell.text].span, "the first time is here")]
            findings.report(BAD_LABELS, cell.span, f"the {what} `{cell.text}` is given twice", secondary=place)
            return []
        seen[cell.text] = cell
    numbers = are_numbers(found)
    for cell in found if numbers else ():
        if int(cell.text) >= count:
            message = f"the {what} {cell.text} is out of range: the network has {count}, from 0"
            findings.report(BAD_LABELS, cell.span, message)
            return []
    if len(found) != count:
        message = f"this file has {len(found)} classes, and the network {count}"
        missing = [str(n) for n in range(count) if str(n) not in seen] if numbers else []
        help = f"missing: {', '.join(missing[:8])}" if missing else ""
        findings.report(BAD_LABELS, whole(table), message, help=help)
        return []
    return [int(cell.text) for cell in found] if numbers else list(range(count))


def members(found: list[Cell], count: int, level: ast.Name, table: Source, findings: Findings) -> list[int]:
    """The numbers of a coarser level's classes: as written, or of names as they come."""
    numbers = are_numbers(found)
    first: dict[str, int] = {}
    for cell in found:
        first.setdefault(cell.text, len(first))
        if numbers and int(cell.text) >= count:
            message = f"the class {cell.text} of `{level.name}` is out of range: it has {count}, from 0"
            findings.report(BAD_LABELS, cell.span, message)
            return []
    if len(first) != count:
        message = f"`{level.name}` has {count} classes, and {table.name} names {len(first)}"
        findings.report(BAD_LABELS, level.span, message)
        return []
    return [int(cell.text) if numbers else first[cell.text] for cell in found]


def are_numbers(found: list[Cell]) -> bool:
    return all(cell.text.isascii() and cell.text.isdigit() for cell in found)
