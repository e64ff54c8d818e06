"""What a run says: a progress bar, one line an epoch, metrics as JSON lines and, where installed, for TensorBoard."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from torch import Tensor

from specc.portable.files.documents import fields, number, read_json, whole
from specc.runtime.files.whole import claimed, write_text, writing

LINE: Final = fields({"epoch": whole()}, others=number())
"""A line of metrics.jsonl: an epoch, and numbers."""


class Mean:
    """The mean of numbers that arrive as tensors; it waits for no device until it is asked."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.count = 0

    def add(self, value: Tensor) -> None:
        value = value.detach().double()
        self.total = value if self.total is None else self.total + value
        self.count += 1

    def value(self) -> float:
        return float("nan") if self.total is None else float(self.total) / self.count


class Log:
    """`metrics.jsonl` and TensorBoard events in a folder; nothing where `folder` is None (the other processes).

    The folder is this run's while it lasts. Exits where another training writes there, or it cannot be written to.
    """

    def __init__(self, folder: Path | None, first_epoch: int = 0) -> None:
        self.file: Path | None = None
        self.board: Any = None
        self.lock: Any = None
        if folder is None:
            return
        self.file = folder / "metrics.jsonl"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.lock = claimed(folder)
            write_text(self.file, "".join(earlier(self.file, first_epoch)))
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_epoch)

    def write(self, epoch: int, **numbers: float) -> None:
        """One line: {"epoch": 3, "loss": 0.21, ...}."""
        if self.file is None:
            return
        with writing(self.file), self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, **numbers}) + "\n")
        if self.board is not None:
            for name, number in numbers.items():
                self.board.add_scalar(name, number, epoch)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()
        if self.lock is not None:
            self.lock.close()


def earlier(metrics: Path, epoch: int) -> Iterator[str]:
    """The lines of the epochs before `epoch`, which a resumed run writes anew. Half a line says nothing, and goes."""
    if not epoch or not metrics.exists():
        return
    for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = read_json(line)
            LINE(row)
        except ValueError:
            continue
        if row["epoch"] < epoch:
            yield line + "\n"


class Bar:
    """A progress bar on a terminal (rich's, where installed); elsewhere nothing, so that logs stay short.

    Use as a context; `say` prints a line above the bar, in any case.
    """

    def __init__(self, title: str, total: int, shown: bool = True) -> None:
        self.title = title
        self.total = total
        self.shown = shown
        self.done = 0
        self.note = ""
        self.started = time.perf_counter()
        self.rich: Any = None
        self.task: Any = None
        self.drawn = 0.0

    def __enter__(self) -> Self:
        self.started = time.perf_counter()
        if self.shown and sys.stderr.isatty():
            try:
                from rich.console import Console
                from rich.progress import (
                    BarColumn,
                    MofNCompleteColumn,
                    Progress,
                    TextColumn,
                    TimeRemainingColumn,
                )
            except ImportError:
                return self
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self.rich = Progress(*columns, console=Console(stderr=True), transient=True)
            self.task = self.rich.add_task(self.title, total=self.total, note="")
            self.rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.rich is not None:
            self.rich.stop()
        elif self.shown and sys.stderr.isatty():
            sys.stderr.write("\r\033[K")

    def advance(self, note: str = "") -> None:
        """One more is done; `note` stands to the right of the bar."""
        self.done += 1
        self.note = note or self.note
        if self.rich is not None:
            self.rich.update(self.task, advance=1, note=self.note)
        elif self.shown and sys.stderr.isatty() and time.perf_counter() - self.drawn > 0.1:
            self.drawn = time.perf_counter()
            full = round(30 * self.done / max(1, self.total))
            bar = "#" * full + "." * (30 - full)
            sys.stderr.write(f"\r\033[K{self.title} [{bar}] {self.done}/{self.total} {self.note}")
            sys.stderr.flush()

    def say(self, text: str) -> None:
        """A line on standard output."""
        if not self.shown:
            return
        if self.rich is not None:
            self.rich.console.file.flush()
            self.rich.stop()
            print(text, flush=True)
            self.rich.start()
        else:
            if sys.stderr.isatty():
                sys.stderr.write("\r\033[K")
            print(text, flush=True)


def seconds(since: float) -> str:
    """The time passed since `time.perf_counter()` was `since`: `42 s`, `3 min 5 s`."""
    passed = round(time.perf_counter() - since)
    return f"{passed} s" if passed < 120 else f"{passed // 60} min {passed % 60} s"


def amount(number: float) -> str:
    """A count as people say it: `950`, `12.3 k`, `300.8 M`, `4.09 G`."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor:
            return f"{number / factor:.4g} {unit}"
    return f"{number:g}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width: the first aligned left, the others right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def cells(line: Sequence[str]) -> str:
        rest = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        return "  ".join([line[0].ljust(widths[0]), *rest]).rstrip()

    return "\n".join([cells(header), "-" * (sum(widths) + 2 * len(widths) - 2), *map(cells, rows)])
