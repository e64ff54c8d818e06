"""From a text to its syntax tree: lark parses, `build` makes the nodes, and what lark refuses is said in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lark import UnexpectedInput

from specc.diagnostics import Findings
from specc.source import Source, Span
from specc.syntax.ast import Comment, SpecFile
from specc.syntax.brackets import Refused
from specc.syntax.build import Build
from specc.syntax.characters import report_hidden
from specc.syntax.grammar import parser

_COMMENTS: Final = re.compile(r'"(?:[^"\\\n]++|\\.)*+"|(#[^\n]*)')
"""Strings, which may hold a `#`, and comments."""


def parse(source: Source, findings: Findings) -> SpecFile | None:
    """The tree of a spec. Reports what is wrong with the text, and then gives None.

    Takes time in proportion to the text, and a stack that does not grow with it.
    """
    already = len(findings.diagnostics)
    report_hidden(source, findings)
    try:
        tree = parser().parse(source.text)
    except (UnexpectedInput, Refused) as error:
        from specc.syntax.unexpected import explain

        explain(source, error, findings)
        return None
    items = Build(source, findings).transform(tree)
    return None if len(findings.diagnostics) > already else SpecFile(source, items, tuple(_comments(source)))


def _comments(source: Source) -> Iterator[Comment]:
    """The comments of a text that parses."""
    for match in _COMMENTS.finditer(source.text):
        if match[1]:
            start = match.start()
            line = source.text.rfind("\n", 0, start) + 1
            content = match[1].rstrip()
            own_line = not source.text[line:start].strip()
            yield Comment(content, own_line, Span(source, start, start + len(content)))
