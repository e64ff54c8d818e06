"""From text to words, numbers, strings, signs and separators; brackets are matched here, before anything is parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from specc.diagnostics import Findings, Rule
from specc.diagnostics.elsewhere import SQUARE
from specc.source import Source, Span
from specc.space.numerals import FORM
from specc.syntax.ast import Comment

Token: TypeAlias = tuple[str, int, int]
"""Kind, start and end. The kind is NAME, DOTTED, NUMBER, STRING, SEP or, for a sign, the sign itself."""

DEEPEST = 100
MOST_TOKENS = 300_000
"""How deep brackets, and operators within one statement, may nest. Everything after the parser may then recurse."""

MOST_ERRORS = 10

UNCLOSED = Rule(
    "E103",
    "unclosed-bracket",
    "a brace, parenthesis or square bracket is opened and never closed",
    "Every `{`, `(` and `[` needs its partner. The message points at the one that opens and at the place where\n"
    "its partner was missed. Where a `}` is indented less than the line that opens its brace, the brace before it\n"
    "is taken for the unclosed one.\n\n"
    "Wrong:  stem { conv(32, kernel=3\n"
    "Right:  stem { conv(32, kernel=3) }",
)
UNOPENED = Rule(
    "E104",
    "unopened-bracket",
    "a bracket closes something that was never opened",
    "A `}`, `)` or `]` stands where nothing of its kind is open.\n\nWrong:  relu }\nRight:  stem { relu }",
)
TOO_DEEP = Rule(
    "E105",
    "too-deep",
    f"brackets and operators nest more than {DEEPEST} deep",
    f"Brackets may be nested {DEEPEST} deep, the operators of the statements around counted in (`a + b + c` is two\n"
    "deep). Name a part with `let`, or move an inner part into a block of its own.\n\n"
    "Wrong:  let a = ((((1 + 2))))       (and so on, a hundred times)\nRight:  let a = 1 + 2",
)
TOO_LONG = Rule(
    "E112",
    "too-long",
    f"a file has more than {MOST_TOKENS:,} words, signs and comments",
    f"Specs are written for people. A file of more than {MOST_TOKENS:,} words, signs and comments is none.\n\n"
    "Wrong:  let a1 = 1; let a2 = 1      (and so on, a hundred thousand times)\nRight:  repeat 100 { relu }",
)
BAD_CHARACTER = Rule(
    "E106",
    "bad-character",
    "a character that means nothing in a spec",
    "Outside strings and comments a spec is written with ASCII letters, digits and the signs of the language.\n"
    "Inside them every printable character may stand; control characters may not (a tab may).\n\n"
    "Wrong:  expand × 2\nRight:  expand * 2",
)
BAD_STRING = Rule(
    "E107",
    "bad-string",
    "a string does not end on its line, or has an unknown escape",
    'A string stands between two `"` on one line. Four escapes are known: \\" \\\\ \\n and \\t.\n\n'
    'Wrong:  import "blocks/mine.specc\nRight:  import "blocks/mine.specc"',
)
BAD_NUMBER = Rule(
    "E108",
    "bad-number",
    "a number that is not written as numbers are",
    "Numbers are written as 6, 0.25 or 1e-4, with at most 40 characters and an exponent from -40 to 40. They may end\n"
    "in a unit: k M G (factors of 1000), us ms s (seconds), kB MB GB (bytes). They are exact: 0.1 is one tenth.\n\n"
    "Wrong:  3x3    .5     10 M\nRight:  3      0.5    10M",
)

_CLOSER: Final[Mapping[str, str]] = {"{": "}", "(": ")", "[": "]"}
_OPENER: Final[Mapping[str, str]] = {closer: opener for opener, closer in _CLOSER.items()}
_OPERATORS: Final = frozenset(("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", ".."))
_WORD_OPERATORS: Final = frozenset(("and", "or", "not", "else"))
_LOOK_ALIKE: Final[Mapping[str, str]] = {
    "'": '"', "\u2018": '"', "\u2019": '"', "\u201c": '"', "\u201d": '"', "\u201e": '"', "`": '"',
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/",
    "\u2026": "..", "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u00a0": "a space", "\u3000": "a space",
    "!": "not", "&": "and", "|": "or", "\ufeff": "nothing",
}  # fmt: skip
_IN_OTHER_LANGUAGES: Final[Mapping[str, str]] = {
    "%": "write 0.5 for 50 percent, and a - b * floor(a / b) for a remainder",
    ".": "operators stand one after the other: `conv(64, kernel=3); relu`",
    ":": "write `=` after an argument's name, and braces around statements",
}
_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufff9-\ufffb]")


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A text's tokens and, beside them, its comments."""

    tokens: list[Token]
    comments: tuple[Comment, ...]


def scan(source: Source, scanner: re.Pattern[str], findings: Findings) -> Scan | None:
    """The tokens of a text. Reports bad characters, strings, numbers and brackets, and then gives None.

    Newlines inside ( ) and [ ] are left out here; those inside the braces of a set are left out by the parser, which
    alone can tell them from other braces. A newline before `else` or `shortcut` is left out after a `}`.
    """
    text = source.text
    tokens: list[Token] = []
    comments: list[Comment] = []
    brackets = _Brackets(source, findings)
    wrong = _hidden_characters(source, findings)
    for match in scanner.finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span(kind)
        if len(tokens) + len(comments) >= MOST_TOKENS:
            message = f"more than {MOST_TOKENS:,} words, signs and comments stand before this"
            findings.report(TOO_LONG, Span(source, start, end), message)
            return None
        if kind == "NAME":
            word = text[start:end]
            if word in _WORD_OPERATORS:
                brackets.operator(start, end)
            if word == "when":
                _join_lines(tokens, text)
        elif kind == "SIGN":
            kind = text[start:end]
            if kind == "{":
                _join_lines(tokens, text)
            if kind in _CLOSER:
                brackets.open(kind, start)
            elif kind in _OPENER:
                if not brackets.close(kind, start):
                    return None
            elif kind == ",":
                brackets.next_statement()
            elif kind in _OPERATORS:
                brackets.operator(start, end)
        elif kind == "SEP":
            if brackets.inside_list:
                if (semicolon := text.find(";", start, end)) < 0:
                    continue
                kind, start, end = ";", semicolon, semicolon + 1
            elif tokens and tokens[-1][0] == "SEP":
                continue
            elif text[start] == ";" or not _goes_on(text, end):
                brackets.next_statement()
        elif kind == "COMMENT":
            line = text.rfind("\n", 0, start) + 1
            own_line = not text[line:start].strip()
            content = text[start:end].rstrip()
            comments.append(Comment(content, own_line, Span(source, start, start + len(content))))
            continue
        elif kind.startswith("BAD"):
            wrong += 1
            _report_bad(kind, Span(source, start, end), findings)
            if wrong >= MOST_ERRORS:
                return None
            continue
        tokens.append((kind, start, end))
        if brackets.too_deep:
            return None
    if wrong or not brackets.end(len(text)):
        return None
    return Scan(tokens, tuple(comments))


def _goes_on(text: str, position: int) -> bool:
    """Whether the statement before a newline goes on after it, with `else`."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return text.startswith("else", position)


def _join_lines(tokens: list[Token], text: str) -> None:
    """`else` or `shortcut`, now followed by `{` or `when`, takes back the newline between it and the `}` before it."""
    if len(tokens) < 3 or tokens[-2][0] != "SEP" or tokens[-3][0] != "}":
        return
    _, start, end = tokens[-1]
    if text[start:end] in ("else", "shortcut") and text[tokens[-2][1]] == "\n":
        del tokens[-2]


class _Brackets:
    """The brackets open at one place in a text, and how deep it is: in brackets and in the operators around them."""

    def __init__(self, source: Source, findings: Findings) -> None:
        self.source, self.findings = source, findings
        self.stack: list[tuple[str, int]] = []
        self.operators = [0]
        self.depth = 0
        self.inside_list = False
        self.too_deep = False
        self.suspect: int | None = None

    def open(self, sign: str, start: int) -> None:
        self.stack.append((sign, start))
        self.operators.append(0)
        self.inside_list = sign != "{"
        self._deeper(start, start + 1)

    def operator(self, start: int, end: int) -> None:
        self.operators[-1] += 1
        self._deeper(start, end)

    def next_statement(self) -> None:
        self.depth -= self.operators[-1]
        self.operators[-1] = 0

    def _deeper(self, start: int, end: int) -> None:
        self.depth += 1
        if self.depth > DEEPEST and not self.too_deep:
            self.too_deep = True
            self.findings.report(
                TOO_DEEP,
                Span(self.source, start, end),
                f"nested more than {DEEPEST} deep here",
                help="name a part with `let`, or move an inner part into a block",
            )

    def close(self, sign: str, start: int) -> bool:
        """Takes a closing bracket; False, after a report, where it has no partner."""
        opener = _OPENER[sign]
        if self.stack and self.stack[-1][0] == opener:
            opened = self.stack.pop()[1]
            self.next_statement()
            self.operators.pop()
            self.depth -= 1
            self.inside_list = bool(self.stack) and self.stack[-1][0] != "{"
            if sign == "}" and self.suspect is None and self._outdented(opened, start):
                self.suspect = opened
            return True
        if any(sign_ == opener for sign_, _ in self.stack):
            self._unclosed(self.stack[-1], start, f"`{sign}` stands here instead")
        else:
            self.findings.report(
                UNOPENED,
                Span(self.source, start, start + 1),
                f"`{sign}` closes nothing: no `{opener}` is open here",
                secondary=[(self._span(self.stack[-1][1]), "this is open")] if self.stack else (),
                help=f"remove it, or open a `{opener}` before it",
            )
        return False

    def end(self, position: int) -> bool:
        """At the end of the text: False, after a report, where a bracket is still open."""
        if not self.stack:
            return True
        opened = self.stack[-1]
        if opened[0] == "{" and self.suspect is not None and self.suspect > opened[1]:
            opened = ("{", self.suspect)
        last = len(self.source.text.rstrip())
        self._unclosed(opened, min(position, last), "the file ends here")
        return False

    def _unclosed(self, opened: tuple[str, int], at: int, where: str) -> None:
        sign, start = opened
        self.findings.report(
            UNCLOSED,
            self._span(start),
            f"this `{sign}` is never closed",
            secondary=[(Span(self.source, at, min(at + 1, len(self.source.text))), where)],
            help=f"close it with `{_CLOSER[sign]}`",
        )

    def _outdented(self, opened: int, closed: int) -> bool:
        """Whether a `}` that is first on its line stands left of the line that its `{` is on."""
        text = self.source.text
        line = text[text.rfind("\n", 0, closed) + 1 : closed]
        if line.strip():
            return False
        begin = text.rfind("\n", 0, opened) + 1
        first = text[begin:opened]
        return len(line) < len(first) - len(first.lstrip())

    def _span(self, start: int) -> Span:
        return Span(self.source, start, start + 1)


def _hidden_characters(source: Source, findings: Findings) -> int:
    """Reports characters that can't be seen, or that make a text look other than it is, wherever they stand."""
    match = _HIDDEN.search(source.text)
    if match is None:
        return 0
    findings.report(
        BAD_CHARACTER,
        Span(source, match.start(), match.end()),
        f"the hidden character U+{ord(match.group()):04X} can't stand in a spec",
        help="remove it",
    )
    return 1


def _report_bad(kind: str, span: Span, findings: Findings) -> None:
    text = span.text
    if kind == "BAD_NUMBER":
        shown = text if len(text) <= 20 else text[:20] + "..."
        help = FORM
        if re.fullmatch(r"[0-9]+x[0-9]+", text):
            help = SQUARE
        findings.report(BAD_NUMBER, span, f"`{shown}` is not a number", help=help)
    elif kind == "BAD_STRING":
        ends = len(text) > 1 and text.endswith('"') and not text.endswith('\\"')
        message = "unknown escape in this string" if ends else "this string does not end on its line"
        help = 'the escapes are \\" \\\\ \\n and \\t' if ends else 'end it with `"`'
        findings.report(BAD_STRING, span, message, help=help)
    else:
        look = _LOOK_ALIKE.get(text)
        shown = text if text.isprintable() else f"U+{ord(text):04X}"
        if text in _IN_OTHER_LANGUAGES:
            help = _IN_OTHER_LANGUAGES[text]
        elif look is not None:
            help = f"write {look if ' ' in look or look == 'nothing' else f'`{look}`'} instead"
        elif text.isalpha():
            help = "names are made of the letters a-z and A-Z, digits and `_`"
        else:
            help = "remove it"
        findings.report(BAD_CHARACTER, span, f"`{shown}` means nothing here", help=help)
