"""The parser that lark makes of grammar/specc.lark, kept by lark in the user's cache folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from lark import Lark
from lark.lexer import PatternStr

from specc.cache import private_folder
from specc.syntax.brackets import Brackets

_LINE_BEFORE: Final[Mapping[str, str]] = {"_ELSE": "else", "_SHORTCUT": "shortcut"}
"""Keywords that the grammar writes as regular expressions, because a line may begin before them."""


@cache
def parser() -> Lark:
    """The parser of this process: from the cache, or made anew where that is missing, stale, damaged or closed to us.

    lark unpickles what it kept, so it may keep it in a private folder alone (specc/cache.py).
    """
    folder = private_folder()
    return Lark(
        grammar_text(),
        parser="lalr",
        postlex=Brackets(),
        propagate_positions=True,
        cache=False if folder is None else str(folder / "grammar.lark-cache"),
    )


def words() -> dict[str, str]:
    """The keyword or sign that a terminal is, by lark's name for it. Names, numbers and the like are not in it."""
    fixed = {t.name: t.pattern.value for t in parser().terminals if isinstance(t.pattern, PatternStr)}
    return {**fixed, **_LINE_BEFORE}


def keywords() -> frozenset[str]:
    """The words that mean something to the grammar, each where the rules can take it."""
    return frozenset(word for word in words().values() if word.isidentifier())


def grammar_text() -> str:
    """grammar/specc.lark: shipped inside the package by a wheel, in the repository's own folder otherwise."""
    package = Path(__file__).resolve().parent.parent
    for path in (package / "_grammar" / "specc.lark", package.parent / "grammar" / "specc.lark"):
        try:
            return path.read_text(encoding="utf-8")
        except OSError:
            continue
    from importlib.resources import files

    return files("specc").joinpath("_grammar", "specc.lark").read_text(encoding="utf-8")
