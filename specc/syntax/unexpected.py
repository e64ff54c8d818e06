"""What is said about a token that can't stand where it stands. Imported only when there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.diagnostics.elsewhere import STATEMENTS, operator_elsewhere, tuple_elsewhere
from specc.source import Source, Span
from specc.space.numerals import UNITS
from specc.syntax.grammar import Tables
from specc.syntax.lexer import Token

UNEXPECTED = Rule(
    "E109",
    "unexpected-token",
    "something stands where the language has no place for it",
    "The message says what could have stood there. Often a word before it is misspelt, a comma is missing between\n"
    "arguments, or an operator is written outside the braces of a stem, stage or head.\n\n"
    "Wrong:  conv(64 kernel=3)\nRight:  conv(64, kernel=3)",
)
NO_SEPARATOR = Rule(
    "E110",
    "missing-separator",
    "two statements stand on one line without `;` between them",
    "A line break or `;` ends a statement.\n\nWrong:  norm batch relu\nRight:  norm batch; relu",
)
MISPLACED = Rule(
    "E111",
    "misplaced-statement",
    "a statement stands in braces that it does not belong in",
    "Imports, blocks, supernets and the sections method, data, train and search stand outside all braces;\n"
    "input, classes, labels, stem, stage and head in a supernet's; operators, blocks and repeat, skippable, residual,\n"
    "when, branches and exit in the braces of a stem, stage or head, or of a block.\n\n"
    "Wrong:  supernet s { conv(8) }\nRight:  supernet s { stem { conv(8) } }",
)

_TOP: Final = frozenset(("import", "block", "supernet", "method", "data", "train", "search"))
_SUPERNET: Final = frozenset(("input", "classes", "labels", "stem", "stage", "head", "param"))
_SETTINGS: Final = frozenset(("norm", "width", "connect"))
_INNER: Final = frozenset(("repeat", "skippable", "residual", "when", "branches", "exit"))
_VALUE: Final = frozenset(("NUMBER", "STRING", "NAME", "DOTTED", "yes", "no", "not", "-", "(", "[", "{"))
_OPERATOR: Final = frozenset(("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "and", "or", ".."))
_IN_WORDS: Final[Mapping[str, str]] = {
    "NAME": "a name",
    "DOTTED": "a dotted name",
    "NUMBER": "a number",
    "STRING": "a string",
    "SEP": "a line break or `;`",
    "$END": "the end of the file",
}


def report_unexpected(
    source: Source, tokens: Sequence[Token], position: int, states: Sequence[int], table: Tables, findings: Findings
) -> None:
    """One diagnostic about `tokens[position]`, met in the state on top of `states`."""
    kind, start, end = tokens[position]
    place = _place(states, table)
    first = _statement(tokens, position)
    if _misplaced(source, tokens, first, position, place, findings):
        return
    accepted = _accepted(states, table)
    text = _shown(source.text[start:end])
    near = _near(source, tokens, first, position, accepted, place, table)
    span = Span(source, start, end)
    if kind == "$END" or source.text[start] == "\n":
        after = tokens[position - 1][2] if position else 0
        span = Span(source, after, after)
    elif position and "SEP" in accepted and not near and kind in ("NAME", "DOTTED"):
        if "\n" not in source.text[tokens[position - 1][2] : start]:
            message = f"`{text}` begins a second statement on this line"
            findings.report(NO_SEPARATOR, span, message, help=f"put `;` or a line break before `{text}`")
            return
    found = "the file ends here" if kind == "$END" else "the line ends here" if text == "\n" else f"found `{text}`"
    findings.report(UNEXPECTED, span, f"expected {_expected(accepted)}, {found}", help=near)


def _accepted(states: Sequence[int], table: Tables) -> frozenset[str]:
    """The terminals that could come next. A row of the tables names more: each is tried, without making any node."""
    accepted = set()
    for kind in table.actions[states[-1]]:
        stack = list(states)
        while (action := table.actions[stack[-1]].get(kind)) is not None and action < 0:
            rule = table.rules[~action]
            if rule.size:
                del stack[-rule.size :]
            stack.append(table.gotos[stack[-1]][rule.origin])
            if kind == "$END" and stack[-1] == table.end:
                break
        if action is not None:
            accepted.add(kind)
    return frozenset(accepted)


def _place(states: Sequence[int], table: Tables) -> str:
    """Whose statements stand here: those of a "file", a "supernet", a "body", or the settings of a "section"."""
    for state in reversed(states):
        row = table.actions[state]
        for keyword, place in (("repeat", "body"), ("stem", "supernet"), ("supernet", "file")):
            if keyword in row:
                return place
    return "section"


def _statement(tokens: Sequence[Token], position: int) -> int:
    """The index of the token with which the statement around `tokens[position]` begins."""
    first = position
    while first and tokens[first - 1][0] not in ("SEP", "{", "}"):
        first -= 1
    return first


def _misplaced(
    source: Source, tokens: Sequence[Token], first: int, position: int, place: str, findings: Findings
) -> bool:
    """Reports a statement that belongs in other braces than those it stands in; False where that is not the matter."""
    kind, start, end = tokens[first]
    if kind != "NAME" or position != (first + 1 if place == "body" else first):
        return False
    word = source.text[start:end]
    following = tokens[first + 1][0]
    is_call = following in ("(", "SEP", "}", "=", "$END")
    if word in _TOP and place in ("supernet", "body") and following != "(":
        message, help = f"`{word}` can only stand outside all braces", "is a `}` missing before it?"
    elif word in _SUPERNET and place == "body" and following != "(":
        message = f"`{word}` can only stand directly in a supernet's braces"
        help = "put it before the stem, where all stages see it; or is a `}` missing before it?"
    elif word in _SUPERNET | _SETTINGS and place == "file" and following not in ("=", "SEP"):
        message, help = f"`{word}` can only stand in a supernet's braces", "put it into `supernet NAME { }`"
    elif place in ("supernet", "file") and (word in _INNER or is_call):
        message = f"`{word}` can only stand in the braces of a stem, a stage, a head or a block"
        help = f"put it into one of these: `stage {{ {_shown(word)} ... }}`"
    else:
        return False
    findings.report(MISPLACED, Span(source, start, end), message, help=help)
    return True


def _near(
    source: Source,
    tokens: Sequence[Token],
    first: int,
    position: int,
    accepted: frozenset[str],
    place: str,
    table: Tables,
) -> str:
    """What was probably meant: a keyword like the word here or the one the statement begins with, or a sign."""
    kind, start, end = tokens[position]
    word = source.text[start:end]
    begins = source.text[slice(*tokens[first][1:])]
    if begins in STATEMENTS and position <= first + 1:
        return STATEMENTS[begins]
    if kind == "DOTTED" and position == first:
        return (
            operator_elsewhere(word) or f"operators are written without a module: `{word.rsplit('.', 1)[-1].lower()}`"
        )
    if kind == "," and accepted <= {")"} | _OPERATOR:
        return tuple_elsewhere(*_argument_at(source, tokens, position))
    if said := _said_of_sign(kind, tokens[position - 1] if position else ("", 0, 0), start, accepted):
        return said
    if begins in _BRACED and ("{" in accepted or begins == "residual"):
        return f"what it holds stands in braces: `{begins}{_BRACED[begins]} {{ ... }}`"
    if kind == "NAME" and position and tokens[position - 1][0] == "NUMBER" and word in UNITS:
        return f"write the unit right after the number: `{source.text[slice(*tokens[position - 1][1:])]}{word}`"
    candidates = [(word, accepted & table.keywords)] if kind == "NAME" else []
    if tokens[first][0] == "NAME" and position == first + 1:
        keywords = {"body": _INNER, "supernet": _SUPERNET, "file": _TOP}.get(place, frozenset())
        candidates.append((begins, keywords | _SETTINGS | {"let", "choice"}))
    for written, keywords in candidates:
        if near := get_close_matches(written, sorted(keywords - {written}), 1, 0.7):
            return f"did you mean `{near[0]}`?"
    return ""


def _argument_at(source: Source, tokens: Sequence[Token], position: int) -> tuple[str, str, bool]:
    """The call in whose arguments the parenthesis around a token stands, and the parameter it is given to.

    "" for a list outside calls, and for an argument without a name; then whether it is the first argument.
    """
    place = _opener(tokens, position)
    named = place > 1 and tokens[place - 1][0] == "="
    parameter = source.text[slice(*tokens[place - 2][1:])] if named else ""
    outer = _opener(tokens, place)
    is_call = outer > 0 and tokens[outer][0] == "(" and tokens[outer - 1][0] == "NAME"
    return source.text[slice(*tokens[outer - 1][1:])] if is_call else "", parameter, place == outer + 1


def _opener(tokens: Sequence[Token], position: int) -> int:
    """The index of the bracket that is open at a token; 0 where none is."""
    depth = 0
    for index in range(position - 1, -1, -1):
        kind = tokens[index][0]
        depth += (kind in _CLOSERS) - (kind in _OPENERS)
        if depth < 0:
            return index
    return 0


_BRACED: Final[Mapping[str, str]] = {
    "residual": "", "skippable": "", "repeat": " 3", "when": " in > 8", "branches": " 4 sum", "exit": " name",
}  # fmt: skip
"""Statements with braces, and what stands before them."""
_OPENERS, _CLOSERS = ("(", "[", "{"), (")", "]", "}")


def _said_of_sign(kind: str, before: Token, start: int, accepted: frozenset[str]) -> str:
    """What was probably meant by a sign of another language."""
    adjacent = before[2] == start
    if kind == "=":
        return "did you mean `==`?" if "==" in accepted else "leave `=` out" if "{" in accepted else ""
    if kind == "/" and "SEP" in accepted:
        return "comments begin with `#`"
    if kind == before[0] and adjacent and kind in ("/", "*"):
        return "whole division is `floor(a / b)`" if kind == "/" else "a power is a product: `a * a`"
    if kind in (",", "-") and "SEP" in accepted:
        return "statements end with `;` or with their line"
    if kind == "-" and before[0] == "NAME" and adjacent and "-" not in accepted:
        return "names are made of letters, digits and `_`"
    return ""


def _expected(accepted: frozenset[str]) -> str:
    """The accepted terminals in the language's own words, the groups among them named as groups."""
    words = []
    rest = set(accepted)
    if {"NAME", "NUMBER", "["} <= rest:
        words.append("a value")
        rest -= _VALUE
    for keyword, name in (("repeat", "a statement"), ("stem", "a statement"), ("supernet", "a declaration")):
        if keyword in rest:
            words.append(name)
            rest -= _INNER | _SUPERNET | _TOP | _SETTINGS | {"let", "choice", "param", "NAME", "("}
    if {"*", "/", "+"} <= rest:
        rest -= _OPERATOR
        words.append("an operator")
    words += sorted(_IN_WORDS.get(kind, f"`{kind}`") for kind in rest)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _shown(text: str) -> str:
    return text if len(text) <= 30 else text[:30] + "..."
