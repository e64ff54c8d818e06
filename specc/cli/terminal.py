"""Where output goes: data to stdout, messages to stderr, tables by rich on a terminal and aligned text elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from specc.cli.failure import Failure
from specc.diagnostics import Diagnostic, SpecError, as_errors

if TYPE_CHECKING:
    from pydantic import BaseModel


class Terminal:
    """The two streams of a command and how they are to be used."""

    def __init__(self, out: TextIO, err: TextIO, quiet: bool = False, json: bool = False, strict: bool = False) -> None:
        self.out = out
        self.err = err
        self.quiet = quiet
        self.as_json = json
        self.strict = strict
        self.untold: list[Diagnostic] = []
        """Warnings that were not shown yet: the JSON may hold them."""

    def data(self, text: str) -> None:
        """What was asked for."""
        self.out.write(text)

    def json(self, document: BaseModel) -> None:
        """What was asked for, as one JSON value. What is said of a spec has `warnings`; beside an array they go to
        stderr."""
        import json

        from specc.schemas.document import data_of
        from specc.schemas.told import OfSpec

        value = data_of(document)
        if isinstance(document, OfSpec):
            from specc.diagnostics.render import documents

            value["warnings"] = [data_of(told) for told in documents(self.untold)]
            self.untold.clear()
        self.out.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        self.tell_warnings()

    def message(self, text: str) -> None:
        """Something that must be said."""
        self.out.flush()
        self.err.write(text + "\n")
        self.err.flush()

    def note(self, text: str) -> None:
        """Something that --quiet leaves out."""
        if not self.quiet:
            self.message(text)

    def warn(self, found: Sequence[Diagnostic]) -> None:
        """Warnings: on stderr, also under --quiet, or with --json among what is printed.

        Raises SpecError under --strict: call this before anything is written.
        """
        if found and self.strict:
            raise SpecError(as_errors(found))
        self.untold.extend(found)
        if not self.as_json:
            self.tell_warnings()

    def tell_warnings(self) -> None:
        """Shows on stderr the warnings that were not told yet."""
        if self.untold:
            self.rendered(self.untold)
            self.untold.clear()

    def rendered(self, found: Sequence[Diagnostic]) -> None:
        """Diagnostics as text on stderr."""
        from specc.diagnostics.render import render_all

        self.message(render_all(found, colored(self.err)).rstrip("\n"))

    def diagnostics(self, found: Sequence[Diagnostic], warnings: Sequence[Diagnostic] = ()) -> None:
        """What is wrong with a spec: on stderr, or with --json as `{"diagnostics": [...]}` on stdout."""
        if self.as_json:
            from specc.diagnostics.render import documents
            from specc.schemas.told import Diagnostics

            self.untold.extend(warnings)
            self.json(Diagnostics(diagnostics=documents(found)))
            return
        self.rendered((*found, *warnings))
        if len(found) > 1:
            self.note(f"\n{len(found)} errors")

    def failure(self, error: Failure) -> None:
        """What is wrong with the command line or around it."""
        from specc.diagnostics.render import paint, printable

        color = colored(self.err)
        self.message(f"{paint('error:', 'red', color)} {printable(str(error))}")
        if error.help:
            self.message(f"{paint('help:', 'green', color)} {printable(error.help)}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
        """A table; the columns named in `right` hold numbers."""
        texts = [[shown(cell) for cell in row] for row in rows]
        if colored(self.out):
            self._rich_table(columns, texts, right)
            return
        widths = [max(len(cell) for cell in column) for column in zip(columns, *texts, strict=True)]
        for row in ([*columns], *texts):
            cells = (f"{c:>{w}}" if n in right else f"{c:<{w}}" for c, w, n in zip(row, widths, columns, strict=True))
            self.data("  ".join(cells).rstrip() + "\n")

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(file=self.out).print(table)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Says on a terminal what is being done, once it has taken more than a second, and for how long so far."""
        if self.quiet or not self.err.isatty():
            yield
            return
        from threading import Event, Thread

        done = Event()

        def watch() -> None:
            seconds = 0
            while not done.wait(1):
                seconds += 1
                self.err.write(f"\r{what} ... {seconds} s")
                self.err.flush()
            if seconds:
                self.err.write("\r\x1b[K")
                self.err.flush()

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def flush(self) -> None:
        self.tell_warnings()
        self.out.flush()
        self.err.flush()


def colored(stream: TextIO) -> bool:
    """Whether a stream is a terminal that wants colour (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def shown(cell: object) -> str:
    """Integers with a comma every three digits, everything else as it is."""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def standard_input() -> bytes:
    """All of stdin."""
    return sys.stdin.buffer.read()
