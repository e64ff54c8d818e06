"""Warnings: what a spec says that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from specc.diagnostics import Findings, Rule
from specc.ir.graph import Graph
from specc.semantics.names import Names, statements_of
from specc.syntax import ast

UNUSED_CHOICE = Rule(
    "W101",
    "unused-choice",
    "nothing reads a choice",
    "A choice that nothing reads is no dimension of the search space: it is dropped, and the network stays the same.\n"
    "Wrong:  choice wide in {16, 32}   ...   stem { conv(16, kernel=3) }\n"
    "Right:  choice wide in {16, 32}   ...   stem { conv(wide, kernel=3) }",
)


def warn_of_unused(names: Names, graph: Graph, findings: Findings) -> None:
    """Warns of what the spec's own file declares and the finished graph does not have."""
    there_are = graph.choice_table()
    for choice in choices_of(names):
        if choice.name.name not in there_are:
            message = f"nothing reads the choice `{choice.name.name}`"
            findings.report(UNUSED_CHOICE, choice.name.span, message, help="use it, or leave it out")


def choices_of(names: Names) -> Iterator[ast.ChoiceStatement]:
    """The choices that the spec's own file declares outside blocks."""
    source = names.supernet.span.source
    for statement in (*names.files[0].values, *statements_of(names.supernet.body)):
        if isinstance(statement, ast.ChoiceStatement) and statement.span.source is source:
            yield statement
