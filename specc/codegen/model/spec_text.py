"""What a spec's own text says of its statements, found by their places: the names of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax import ast
from specc.syntax.parse import parse


@lru_cache(maxsize=32)
def tree_of(source: Source) -> ast.SpecFile:
    """The syntax tree of a source that has been parsed without errors before."""
    tree = parse(source, Findings())
    assert tree is not None
    return tree


@lru_cache(maxsize=32)
def given_names(source: Source) -> Mapping[tuple[int, int], tuple[str, ...]]:
    """The names that a source gives to tensors, as `a` in `a = conv(64)`, by the places of the calls."""
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    waiting: list[object] = list(tree_of(source).items)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.Body):
            waiting.extend(statement.statements)
        elif isinstance(statement, ast.CallStatement):
            place = statement.call.span
            found[place.start, place.end] = tuple(target.name for target in statement.targets)
        else:
            waiting.extend(body for name in BODIES if (body := getattr(statement, name, None)) is not None)
    return found


BODIES = ("body", "otherwise", "shortcut")
"""Where statements hold other statements."""
