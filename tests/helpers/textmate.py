"""A small reader of TextMate grammars, as editors have: one line at a time, the earliest match of all rules wins.

It knows `match`, `begin` and `end`, `captures`, `include` of the repository. Patterns must mean the same in Python as
in Oniguruma, which those without lookbehinds of variable length, possessive quantifiers and \\h do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Rule: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scoped:
    """A stretch of a text, from `start` to `end`, and the innermost scope that it has: "" where no rule matches."""

    start: int
    end: int
    scope: str


@dataclass(frozen=True, slots=True)
class TextMate:
    """A grammar as its file has it."""

    content: Rule

    def rules(self, patterns: Sequence[Rule]) -> Iterator[Rule]:
        """The rules of a list, what it includes written out, in order."""
        for pattern in patterns:
            if "include" in pattern:
                yield from self.rules(self.content["repository"][pattern["include"].removeprefix("#")]["patterns"])
            elif "patterns" in pattern and "begin" not in pattern:
                yield from self.rules(pattern["patterns"])
            else:
                yield pattern

    def scopes(self, text: str) -> list[Scoped]:
        """Every stretch of a text with its scope, in order, none left out."""
        found = []
        offset = 0
        for line in text.splitlines(keepends=True):
            found += [Scoped(s.start + offset, s.end + offset, s.scope) for s in self.line(line.rstrip("\n"))]
            offset += len(line)
        return found

    def line(self, line: str) -> Iterator[Scoped]:
        position = 0
        within: Rule | None = None
        while position < len(line):
            rules = [*self.rules(self.content["patterns"] if within is None else within["patterns"])]
            if within is not None:
                rules.insert(0, {"match": within["end"], "closes": True})
            best: tuple[re.Match[str], Rule] | None = None
            for rule in rules:
                match = re.compile(rule.get("match") or rule["begin"]).search(line, position)
                if (
                    match
                    and (match.end() > position or rule.get("closes"))
                    and (best is None or match.start() < best[0].start())
                ):
                    best = match, rule
            around = "" if within is None else within["name"]
            if best is None:
                yield Scoped(position, len(line), around)
                return
            match, rule = best
            if match.start() > position:
                yield Scoped(position, match.start(), around)
            yield from captured(match, str(rule.get("name", around)), rule.get("captures", {}))
            position = match.end()
            if rule.get("closes"):
                within = None
            elif "begin" in rule:
                within = rule


def captured(match: re.Match[str], scope: str, captures: Rule) -> Iterator[Scoped]:
    """A match, its groups with scopes of their own."""
    position = match.start()
    for number in sorted(map(int, captures)):
        start, end = match.span(number)
        if start < 0:
            continue
        if start > position:
            yield Scoped(position, start, scope)
        yield Scoped(start, end, captures[str(number)]["name"])
        position = end
    if match.end() > position:
        yield Scoped(position, match.end(), scope)


def read_grammar(path: Path) -> TextMate:
    return TextMate(json.loads(path.read_text(encoding="utf-8")))
