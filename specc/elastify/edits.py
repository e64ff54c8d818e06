"""Changes of a spec's text at the places of its syntax tree. What is not changed, comments too, stays as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specc.diagnostics import Findings
from specc.source import Source, Span
from specc.syntax.format import format_spec
from specc.syntax.parse import parse


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` instead of the characters `[start, end)`."""

    start: int
    end: int
    text: str


def replaced(span: Span, text: str) -> Edit:
    return Edit(span.start, span.end, text)


def inserted(offset: int, text: str) -> Edit:
    return Edit(offset, offset, text)


def edited(source: Source, edits: Iterable[Edit]) -> Source:
    """The source with the edits made, formatted."""
    return formatted(Source(source.name, changed(source.text, 0, len(source.text), edits), source.shown))


def changed(text: str, start: int, end: int, edits: Iterable[Edit]) -> str:
    """The characters `[start, end)` of a text with the edits made. Raises ValueError where two overlap."""
    made = ""
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < start:
            raise ValueError(f"two edits overlap at {edit.start}")
        made += text[start : edit.start] + edit.text
        start = edit.end
    return made + text[start:end]


def formatted(source: Source) -> Source:
    """The source in the standard layout."""
    findings = Findings()
    tree = parse(source, findings)
    if tree is None:
        raise AssertionError(f"an edit made text that does not parse: {findings.diagnostics[0].primary.message}")
    return Source(source.name, format_spec(tree), source.shown)
