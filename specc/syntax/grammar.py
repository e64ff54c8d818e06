"""The parser's tables: made by lark from grammar/specc.lark, kept in the user's cache folder.

Only making them needs lark; a process that finds them in the cache does not import it. The file's name holds a hash of
the grammar, of this module's version of the tables and of Python's version, so a stale file is never read, and its
first bytes a checksum, so a damaged one is made again. Where nothing can be written, or the folder is not closed to
others (specc/cache.py), every process makes its own.
"""

from __future__ import annotations

import marshal
import re
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from specc.cache import keep, private_folder

FORMAT = "3"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One production: how many parts it takes off the stack and what becomes of them.

    `origin` is its left side; `build` names the function that makes the node, "" where the parts are only handed on;
    `splice` says that some parts are lists, to be spread; `collect` that the result is such a list.
    """

    origin: str
    size: int
    build: str
    splice: bool
    collect: bool


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """LALR(1) tables. States are numbers; `actions[state]` maps a terminal to a state to go to, or to ~r to reduce by
    `rules[r]`; `gotos[state]` maps a nonterminal to a state. Keywords and punctuation are named by their own text,
    the other terminals by their names in the grammar; "$END" is the end."""

    start: int
    end: int
    actions: tuple[Mapping[str, int], ...]
    gotos: tuple[Mapping[str, int], ...]
    rules: tuple[Rule, ...]
    keywords: frozenset[str]
    scanner: re.Pattern[str]


@cache
def tables() -> Tables:
    """The tables of this process: from the cache, or made anew."""
    text = grammar_text()
    path = _cache_path(text)
    kept = _read(path) if path else None
    if kept is not None:
        return kept
    plain = _make(text)
    if path:
        content = marshal.dumps(plain)
        keep(path, _checksum(content) + content)
    return _tables(plain)


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


def _tables(plain: dict[str, Any]) -> Tables:
    return Tables(
        start=plain["start"],
        end=plain["end"],
        actions=tuple(plain["actions"]),
        gotos=tuple(plain["gotos"]),
        rules=tuple(Rule(*rule) for rule in plain["rules"]),
        keywords=frozenset(plain["keywords"]),
        scanner=re.compile(plain["scanner"]),
    )


# --- Making them -----------------------------------------------------------------------------------


def _make(text: str) -> dict[str, Any]:
    """Lark's own serialised form, brought to the shape that `Tables` describes, in plain lists and dicts."""
    from lark import Lark
    from lark.grammar import Rule as LarkRule
    from lark.lexer import TerminalDef

    made = Lark(text, parser="lalr", lexer="basic", keep_all_tokens=True, maybe_placeholders=False)
    data, memo = made.memo_serialize([TerminalDef, LarkRule])
    terminals = {t["name"]: t["pattern"] for t in memo.values() if t["__type__"] == "TerminalDef"}
    literal = {n: p["value"] for n, p in terminals.items() if p["__type__"] == "PatternStr"}
    productions = [(key, entry) for key, entry in memo.items() if entry["__type__"] == "Rule"]
    number = {key: i for i, (key, _) in enumerate(productions)}

    table = data["parser"]["parser"]
    tokens: Mapping[int, str] = table["tokens"]
    renumbered = {state: i for i, state in enumerate(table["states"])}
    origins = {entry["origin"]["name"] for _, entry in productions}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    for row in table["states"].values():
        action: dict[str, int] = {}
        goto: dict[str, int] = {}
        for token, (reduces, argument) in row.items():
            name = tokens[token]
            if reduces:
                action[literal.get(name, name)] = ~number[argument["@"]]
            elif name in origins:
                goto[name] = renumbered[argument]
            else:
                action[literal.get(name, name)] = renumbered[argument]
        actions.append(action)
        gotos.append(goto)
    return {
        "start": renumbered[table["start_states"]["start"]],
        "end": renumbered[table["end_states"]["start"]],
        "actions": actions,
        "gotos": gotos,
        "rules": _rules([entry for _, entry in productions]),
        "keywords": sorted(text for text in literal.values() if text.isidentifier()),
        "scanner": _scanner(terminals, literal),
    }


def _rules(productions: list[dict[str, Any]]) -> list[tuple[str, int, str, bool, bool]]:
    """Rules named with `_` only hand on their parts: one part as it is; several, or none, as a list."""
    several: set[str] = set()
    grown = True
    while grown:
        grown = False
        for entry in productions:
            origin, parts = entry["origin"]["name"], [part["name"] for part in entry["expansion"]]
            if origin.startswith("_") and origin not in several and (len(parts) != 1 or parts[0] in several):
                several.add(origin)
                grown = True
    rules = []
    for entry in productions:
        origin, parts = entry["origin"]["name"], [part["name"] for part in entry["expansion"]]
        handed_on = origin.startswith("_") or (entry["options"]["expand1"] and len(parts) == 1)
        build = "" if handed_on else entry["alias"] or origin
        # Some versions of lark name rules by tokens, which are texts that marshal does not take.
        rules.append((str(origin), len(parts), str(build), any(part in several for part in parts), origin in several))
    return rules


def _scanner(terminals: Mapping[str, Any], literal: Mapping[str, str]) -> str:
    """One regular expression for the lexer: every terminal, then what comes near one and is wrong."""
    pattern = {name: entry["value"] for name, entry in terminals.items()}
    signs = sorted((t for t in literal.values() if not t.isidentifier()), key=lambda t: (-len(t), t))
    groups = [
        ("DOTTED", pattern["DOTTED"]),
        ("NAME", pattern["NAME"]),
        ("SIGN", "|".join(re.escape(sign) for sign in signs)),
        ("SEP", pattern["SEP"]),
        ("NUMBER", pattern["NUMBER"] + r"(?![A-Za-z0-9_]|\.[A-Za-z0-9_])"),
        ("COMMENT", pattern["COMMENT"]),
        ("STRING", pattern["STRING"]),
        ("BAD_NUMBER", r"[0-9](?:[A-Za-z0-9_]|\.(?!\.))*"),
        ("BAD_STRING", r'"(?:[^"\\\n]|\\[^\n])*"?'),
        ("BAD", r"[^ \t\r]"),
    ]
    return r"[ \t\r]*(?:" + "|".join(f"(?P<{name}>{expression})" for name, expression in groups) + ")"


# --- Keeping them ----------------------------------------------------------------------------------


def _cache_path(text: str) -> Path | None:
    """Where the tables for this grammar are kept; None where there is no private folder to keep them in."""
    folder = private_folder()
    made_of = "\n".join((FORMAT, sys.version, text)).encode()
    key = f"{zlib.crc32(made_of):08x}{zlib.adler32(made_of):08x}{len(made_of):x}"
    return None if folder is None else folder / f"grammar-{key}.tables"


def _read(path: Path) -> Tables | None:
    """The tables kept at `path`; None where there are none, their checksum is wrong or they are no tables."""
    try:
        content = path.read_bytes()
        if _checksum(content[8:]) != content[:8]:
            return None
        return _tables(marshal.loads(content[8:]))
    except (OSError, ValueError, EOFError, TypeError, KeyError, AttributeError, re.error):
        return None


def _checksum(content: bytes) -> bytes:
    return f"{zlib.crc32(content):08x}".encode()
