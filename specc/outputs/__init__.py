"""What networks predict: one folder for each kind, found by looking. `protocol.OutputKind` says what it holds."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from specc.outputs.protocol import METRIC, OutputKind


@cache
def output_kinds() -> tuple[OutputKind, ...]:
    """Every kind, by its name."""
    folders = sorted(file.parent.name for file in Path(__file__).parent.glob("*/__init__.py"))
    return tuple(import_module(f"specc.outputs.{folder}").KIND for folder in folders)


def kind_of(word: str, each: str = "") -> OutputKind | None:
    """The kind that a statement means: `classes 21 each pixel`. None where there is none."""
    return next((kind for kind in output_kinds() if (kind.word, kind.each) == (word, each)), None)


def output_kind(name: str) -> OutputKind:
    """The kind of that name, which a graph has."""
    kind: OutputKind = import_module(f"specc.outputs.{name}").KIND
    return kind


def metric_words() -> tuple[str, ...]:
    """All that outputs may be scored by: the keys of every kind's metrics, and `metric`, of a loss of one's own."""
    found = [key for kind in output_kinds() for key in kind.metrics]
    return (*dict.fromkeys(found), METRIC)


def task_module(name: str) -> str:
    """The module that a kind brings into projects, by dotted name."""
    return f"specc.outputs.{name}.task"
