"""How a claim's figures are printed: a Markdown table, ours beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and what the paper says of it."""

    what: str
    ours: str
    paper: str


def show(title: str, how: str, figures: Iterable[Figure]) -> None:
    """Prints a section of RESULTS.md."""
    print(f"## {title}\n\n{how}\n\n| | ours | paper |\n|---|---|---|")
    for figure in figures:
        print(f"| {figure.what} | {figure.ours} | {figure.paper} |")
    print()
