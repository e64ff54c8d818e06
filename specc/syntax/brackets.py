"""Between lark's lexer and its parser: brackets are matched, and line breaks that separate nothing are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lark import Token
from lark.lark import PostLex

from specc.diagnostics import Rule

DEEPEST = 100
"""How deep brackets, and operators within one statement, may nest. Everything after the parser may then recurse."""
MOST_TOKENS = 300_000

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
    "A `}`, `)` or `]` closes a bracket that is not open.\n\nWrong:  relu }\nRight:  stem { relu }",
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
    f"a file has more than {MOST_TOKENS:,} words, signs and lines",
    f"Specs are written for people. A file of more than {MOST_TOKENS:,} words, signs and lines is none.\n\n"
    "Wrong:  let a1 = 1; let a2 = 1      (and so on, a hundred thousand times)\nRight:  repeat 100 { relu }",
)

_CLOSER: Final[Mapping[str, str]] = {"{": "}", "(": ")", "[": "]"}
_OPENER: Final[Mapping[str, str]] = {closer: opener for opener, closer in _CLOSER.items()}
_OPERATORS: Final = frozenset(("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "..", "and", "or", "not"))


class Refused(Exception):
    """A token at which brackets do not match, or a limit is reached. `also` is another place: an offset and why."""

    def __init__(self, rule: Rule, token: Token, message: str, help: str, also: tuple[int, str] | None = None) -> None:
        super().__init__(message)
        self.rule, self.token, self.message, self.help, self.also = rule, token, message, help, also


@dataclass(slots=True)
class _Open:
    """A bracket that is open: how far the line it stands on is indented, the operators met in it so far."""

    token: Token
    indent: int
    operators: int = 0


class Brackets(PostLex):
    """The filter that lark runs over the tokens of a text; it holds nothing of any text."""

    always_accept = ("NAME", "DOTTED", "EQUALS", "_SEP")
    """Lexed also where the rules can take none: no name is cut at a keyword that it begins with, `==` not into two `=`,
    and a line break, which may stand in any brackets, is no error before this filter has seen it."""

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Tokens without line breaks inside ( ), [ ] and the braces of sets, and with one separator for a run of them.

        Raises Refused where brackets do not match, nest too deep, or the text is too long.
        """
        file = _Open(Token("$BEGIN", ""), 0)
        stack = [file]
        depth = count = line = indent = end = 0
        before = file.token
        suspect: Token | None = None
        for token in stream:
            count += token.count("\n") if token.type == "_SEP" else 1
            if count > MOST_TOKENS:
                message = f"there are more than {MOST_TOKENS:,} words, signs and lines by here"
                raise Refused(TOO_LONG, token, message, "")
            if token.type == "_SEP":
                inside_list = stack[-1].token.type in ("LPAR", "LSQB", "_SET")
                if before.type == "_SEP" or (inside_list and token != ";"):
                    continue
            else:
                first_on_line = token.line != line
                if first_on_line:
                    line, indent = token.line or 0, token.column or 0
                end = token.end_pos or 0
            if token in _CLOSER:
                stack.append(_Open(token, indent))
                depth += 1
            elif token in _OPENER:
                opened = _closed(stack, token)
                depth -= opened.operators + 1
                if token == "}" and suspect is None and first_on_line and indent < opened.indent:
                    suspect = opened.token
            elif token.type in ("_SEP", "COMMA"):
                depth -= stack[-1].operators
                stack[-1].operators = 0
            elif token in _OPERATORS or token.type == "_ELSE":
                stack[-1].operators += 1
                depth += 1
            if depth > DEEPEST:
                help = "name a part with `let`, or move an inner part into a block"
                raise Refused(TOO_DEEP, token, f"nested more than {DEEPEST} deep here", help)
            yield token
            before = token
        if len(stack) > 1:
            last = stack[-1].token
            if last == "{" and suspect is not None and _start(suspect) > _start(last):
                last = suspect
            raise _unclosed(last, (end, "the file ends here"))


def _closed(stack: list[_Open], token: Token) -> _Open:
    """Takes the partner of a closing bracket off the stack. Raises Refused where that is not what was opened last."""
    opener = _OPENER[token]
    last = stack[-1].token
    if last == opener:
        return stack.pop()
    if any(opened.token == opener for opened in stack):
        raise _unclosed(last, (_start(token), f"`{token}` is here instead"))
    raise Refused(
        UNOPENED,
        token,
        f"`{token}` closes nothing: no `{opener}` is open here",
        f"remove it, or open a `{opener}` before it",
        (_start(last), "this is open") if len(stack) > 1 else None,
    )


def _unclosed(token: Token, also: tuple[int, str]) -> Refused:
    return Refused(UNCLOSED, token, f"this `{token}` is never closed", f"close it with `{_CLOSER[token]}`", also)


def _start(token: Token) -> int:
    return token.start_pos or 0
