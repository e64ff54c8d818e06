"""Asks a network a question in SQL: the graph, its costs and its importance are tables to be read.

Without a question it lists the tables and their columns; --examples shows useful questions. Counts are for one image,
of the largest sub-network unless stated otherwise. The tables are read-only.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from specc.cli import arguments as shared
from specc.cli.failure import UsageError
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from specc.query import Answer

SUMMARY = "query the graph and its costs in SQL"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("sql", nargs="?", metavar="SQL", help="one SELECT; without it the tables are listed")
    parser.add_argument("--csv", action="store_true", help="comma-separated values, a line of names first")
    parser.add_argument("--examples", action="store_true", help="show useful questions")


def run(args: Namespace, terminal: Terminal) -> int:
    if args.csv and args.json:
        raise UsageError("--csv and --json exclude each other")
    if args.sql is not None and args.examples:
        raise UsageError("--examples takes no question", "leave one of the two out")
    compiled = shared.load(args, terminal)
    if args.examples:
        examples(terminal)
    elif args.sql is None:
        tables(terminal, args.csv)
    else:
        from specc.importance import settings_of
        from specc.importance.marks import marks_of
        from specc.query import ask, limit_memory

        limit_memory()
        with terminal.busy("asking"):
            found = ask(compiled.graph, args.sql, lambda: marks_of(compiled.graph, settings_of(compiled.model.method)))
        show(found, terminal, args.csv)
    return 0


def show(found: Answer, terminal: Terminal, csv: bool) -> None:
    """An answer as it was asked for."""
    if terminal.as_json:
        from specc.schemas.query import Answer as Document

        terminal.json(Document.model_validate(found.records()))
    elif csv:
        terminal.data(comma_separated(found.columns, found.rows))
    else:
        from specc.diagnostics.render import printable

        columns = [*zip(*found.rows, strict=True)]
        numeric = {
            name
            for name, cells in zip(found.columns, columns, strict=False)
            if all(cell is None or isinstance(cell, (int, float)) for cell in cells)
        }
        texts = [[printable(cell) if isinstance(cell, str) else number(cell) for cell in row] for row in found.rows]
        terminal.table([*map(printable, found.columns)], texts, right=[*map(printable, numeric)])
        if not found.rows:
            terminal.note("no rows")


def number(cell: float | None) -> object:
    """Integers as the table writes them, six digits of other numbers, nothing for NULL."""
    if cell is None:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else cell


def comma_separated(columns: tuple[str, ...], rows: tuple[tuple[object, ...], ...]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def tables(terminal: Terminal, csv: bool) -> None:
    """What can be asked about."""
    from specc.query import TABLES

    if terminal.as_json:
        from specc.schemas.query import Column, Table, Tables

        terminal.json(
            Tables(
                tuple(
                    Table(
                        name=table.name,
                        doc=table.doc,
                        columns=tuple(Column(name=c.name, type=c.type, doc=c.doc) for c in table.columns),
                    )
                    for table in TABLES
                )
            )
        )
        return
    if csv:
        rows = tuple((table.name, c.name, c.type, c.doc) for table in TABLES for c in table.columns)
        terminal.data(comma_separated(("table", "column", "type", "doc"), rows))
        return
    for table in TABLES:
        terminal.data(f"{table.name}: {table.doc}\n")
        for column in table.columns:
            terminal.data(f"  {column.name:<14}{column.type.lower():<9}{column.doc}\n")
    terminal.note("\n`specc query SPEC --examples` shows useful questions")


def examples(terminal: Terminal) -> None:
    """The useful questions."""
    from specc.query import QUESTIONS

    if terminal.as_json:
        from specc.schemas.query import Question, Questions

        terminal.json(Questions(tuple(Question(question=q.text, sql=q.sql) for q in QUESTIONS)))
        return
    for question in QUESTIONS:
        sql = question.sql.replace("\n", "\n  ")
        terminal.data(f"{question.text}\n  {sql}\n")
