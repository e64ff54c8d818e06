"""Pieces of a text that are no word, number, string or sign of the language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.diagnostics.elsewhere import PAIR
from specc.portable.run.numerals import FORM
from specc.source import Source, Span

BAD_CHARACTER = Rule(
    "E106",
    "bad-character",
    "a character that has no meaning in a spec",
    "Outside strings and comments a spec is written with ASCII letters, digits and the signs of the language.\n"
    "Inside them every printable character is allowed, control characters are not (except tabs).\n\n"
    "Wrong:  expand × 2\nRight:  expand * 2",
)
BAD_STRING = Rule(
    "E107",
    "bad-string",
    "a string does not end on its line, or has an unknown escape",
    'A string is written between two `"` on one line. Four escapes are known: \\" \\\\ \\n and \\t.\n\n'
    'Wrong:  import "blocks/mine.specc\nRight:  import "blocks/mine.specc"',
)
BAD_NUMBER = Rule(
    "E108",
    "bad-number",
    "a malformed number",
    "Numbers are written as 6, 0.25 or 1e-4, with at most 40 characters and an exponent from -40 to 40. They may end\n"
    "in a unit: k M G (factors of 1000), us ms s (seconds), kB MB GB (bytes). They are exact: 0.1 is one tenth.\n\n"
    "Wrong:  3x3    .5     10 M\nRight:  3      0.5    10M",
)

_LOOK_ALIKE: Final[Mapping[str, str]] = {
    "'": '"', "\u2018": '"', "\u2019": '"', "\u201c": '"', "\u201d": '"', "\u201e": '"', "`": '"',
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/",
    "\u2026": "..", "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u00a0": "a space", "\u3000": "a space",
    "!": "not", "&": "and", "|": "or", "\ufeff": "nothing",
}  # fmt: skip
_IN_OTHER_LANGUAGES: Final[Mapping[str, str]] = {
    "%": "write 0.5 for 50 percent, and a - b * floor(a / b) for a remainder",
    ".": "operators are written one after the other: `conv(64, kernel=3); relu`",
    ":": "write `=` after an argument's name, and braces around statements",
}
_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufff9-\ufffb]")
_PIECE = re.compile(
    r'(?P<number>[0-9](?:[A-Za-z0-9_]++|\.(?!\.))*+)|(?P<string>"(?:[^"\\\n]++|\\[^\n])*+"?)|.', re.DOTALL
)
"""What is taken for one piece where lark's lexer can take nothing."""


def report_hidden(source: Source, findings: Findings) -> None:
    """Reports a character that can't be seen, or makes a text look other than it is, wherever it stands."""
    if match := _HIDDEN.search(source.text):
        message = f"the hidden character U+{ord(match.group()):04X} is not allowed in a spec"
        findings.report(BAD_CHARACTER, Span(source, match.start(), match.end()), message, help="remove it")


def report_piece(source: Source, start: int, findings: Findings) -> int:
    """Reports the number, string or character at an offset, where no token begins. Gives the offset of its end."""
    match = _PIECE.match(source.text, start)
    assert match is not None
    span, text = Span(source, start, match.end()), match.group()
    if match["number"]:
        shown = text if len(text) <= 20 else text[:20] + "..."
        help = PAIR if re.fullmatch(r"[0-9]+x[0-9]+", text) else FORM
        findings.report(BAD_NUMBER, span, f"`{shown}` is not a number", help=help)
    elif match["string"]:
        ends = len(text) > 1 and text.endswith('"') and not text.endswith('\\"')
        message = "unknown escape in this string" if ends else "this string does not end on its line"
        help = 'the escapes are \\" \\\\ \\n and \\t' if ends else 'end it with `"`'
        findings.report(BAD_STRING, span, message, help=help)
    else:
        shown = text if text.isprintable() else f"U+{ord(text):04X}"
        findings.report(BAD_CHARACTER, span, f"`{shown}` means nothing here", help=_instead(text))
    return match.end()


def _instead(character: str) -> str:
    """What to write instead of a character."""
    if character in _IN_OTHER_LANGUAGES:
        return _IN_OTHER_LANGUAGES[character]
    look = _LOOK_ALIKE.get(character)
    if look is not None:
        return f"write {look if ' ' in look or look == 'nothing' else f'`{look}`'} instead"
    return "names are made of the letters a-z and A-Z, digits and `_`" if character.isalpha() else "remove it"
