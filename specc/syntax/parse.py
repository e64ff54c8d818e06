"""From a text to its syntax tree: one pass, driven by the tables that lark makes of grammar/specc.lark."""

from __future__ import annotations

from typing import Any

from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax.ast import SpecFile
from specc.syntax.build import BUILDERS, leaf
from specc.syntax.grammar import Tables, tables
from specc.syntax.lexer import Token, scan


def parse(source: Source, findings: Findings) -> SpecFile | None:
    """The tree of a spec. Reports what is wrong with the text, and then gives None.

    Takes time in proportion to the text, and a stack that only brackets deepen (at most lexer.DEEPEST).
    """
    already = len(findings.diagnostics)
    table = tables()
    scanned = scan(source, table.scanner, findings)
    if scanned is None:
        return None
    items = _items(source, scanned.tokens, table, findings)
    if items is None or len(findings.diagnostics) > already:
        return None
    return SpecFile(source, items, scanned.comments)


def _items(source: Source, tokens: list[Token], table: Tables, findings: Findings) -> Any:
    """The LALR(1) machine: shifts tokens and reduces by rules until the file is one value."""
    text = source.text
    actions, gotos, rules, keywords = table.actions, table.gotos, table.rules, table.keywords
    build = [BUILDERS.get(rule.build) for rule in rules]
    states = [table.start]
    values: list[Any] = []
    in_set: list[bool] = []
    tokens = [*tokens, ("$END", len(text), len(text)), ("$END", len(text), len(text))]
    for position in range(len(tokens) - 1):
        kind, begin, end = tokens[position]
        if kind == "NAME":
            word = text[begin:end]
            if word in keywords and word in actions[states[-1]] and tokens[position + 1][0] != "=":
                kind = word
        elif kind == "SEP" and in_set and in_set[-1] and text[begin] == "\n":
            continue
        while True:
            action = actions[states[-1]].get(kind)
            if action is None:
                from specc.syntax.unexpected import report_unexpected

                report_unexpected(source, tokens, position, states, table, findings)
                return None
            if action >= 0:
                states.append(action)
                values.append(leaf(kind, source, begin, end, findings))
                if kind == "{":
                    in_set.append("SEP" not in actions[action])
                elif kind == "}":
                    in_set.pop()
                break
            rule = rules[~action]
            size = rule.size
            maker = build[~action]
            if size == 1 and maker is None and not rule.collect:
                states.pop()
            else:
                parts = values[-size:] if size else []
                if size:
                    del values[-size:], states[-size:]
                if rule.splice:
                    parts = _spread(parts)
                values.append(parts if maker is None else maker(parts))
            states.append(gotos[states[-1]][rule.origin])
            if kind == "$END" and states[-1] == table.end:
                return values[-1]
    return None


def _spread(parts: list[Any]) -> list[Any]:
    """Parts, with the parts of lists in their place. A list in front is grown, so that long lists take linear time."""
    spread: list[Any] = parts[0] if type(parts[0]) is list else [parts[0]]
    for part in parts[1:]:
        if type(part) is list:
            spread.extend(part)
        else:
            spread.append(part)
    return spread
