"""What is said of a text that lark does not take. Imported only when there is one."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from specc.diagnostics import Findings, Rule
from specc.diagnostics.elsewhere import STATEMENTS, operator_elsewhere, tuple_elsewhere
from specc.diagnostics.near import near
from specc.portable.run.numerals import UNITS
from specc.source import Source, Span
from specc.syntax.brackets import Refused
from specc.syntax.characters import report_piece
from specc.syntax.grammar import keywords, parser, words

UNEXPECTED = Rule(
    "E109",
    "unexpected-token",
    "an unexpected word or sign",
    "The message says what could have stood there. Often a word before it is misspelt, a comma is missing between\n"
    "arguments, or an operator is written outside the braces of a stem, stage or head.\n\n"
    "Wrong:  conv(64 kernel=3)\nRight:  conv(64, kernel=3)",
)
NO_SEPARATOR = Rule(
    "E110",
    "missing-separator",
    "two statements on one line need a `;` between them",
    "A line break or `;` ends a statement.\n\nWrong:  norm batch relu\nRight:  norm batch; relu",
)
MISPLACED = Rule(
    "E111",
    "misplaced-statement",
    "a statement is not allowed in these braces",
    "Imports, blocks, supernets and the sections method, data, train and search are written outside all braces;\n"
    "input, classes, tags, values, restores, boxes, labels, stem, stage, head and output in a supernet's; operators,\n"
    "blocks, repeat, skippable, residual, when, branches and exit in the braces of a stem, stage or head, or of a\n"
    "block.\n\n"
    "Wrong:  supernet s { conv(8) }\nRight:  supernet s { stem { conv(8) } }",
)

MOST_PIECES = 10
"""How many pieces of a text that are no tokens are reported."""

_TOP: Final = frozenset(("import", "block", "supernet", "method", "data", "train", "search"))
_SUPERNET: Final = frozenset(
    ("input", "classes", "tags", "values", "restores", "boxes", "labels", "stem", "stage", "head", "output", "param")
)
_SETTINGS: Final = frozenset(("norm", "width", "connect"))
_DECLARATIONS: Final = frozenset(("let", "choice"))
_INNER: Final = frozenset(("repeat", "skippable", "residual", "when", "branches", "exit"))
_VALUE: Final = frozenset(("NUMBER", "STRING", "NAME", "DOTTED", "yes", "no", "not", "-", "(", "[", "{"))
_OPERATOR: Final = frozenset(("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "and", "or", ".."))
_BRACED: Final[Mapping[str, str]] = {
    "residual": "", "skippable": "", "repeat": " 3", "when": " in > 8", "branches": " 4 sum", "exit": " name",
}  # fmt: skip
"""Statements with braces, and what stands before them."""
_IN_WORDS: Final[Mapping[str, str]] = {
    "NAME": "a name",
    "DOTTED": "a dotted name",
    "NUMBER": "a number",
    "STRING": "a string",
    "_SEP": "a line break or `;`",
    "$END": "the end of the file",
}


def explain(source: Source, error: UnexpectedInput | Refused, findings: Findings) -> None:
    """Reports why lark did not take a text: the pieces of it that are no tokens; where there are none, the first
    bracket that does not match or limit that is reached; else the token that can't stand where it stands."""
    tokens = _tokens(source, findings)
    if tokens is None:
        return
    if isinstance(error, UnexpectedToken):
        _report_unexpected(source, _met(source, tokens, error), findings)
    elif isinstance(error, Refused):
        _report_refused(source, error, findings)
    else:
        report_piece(source, error.pos_in_stream or 0, findings)


def _tokens(source: Source, findings: Findings) -> list[Token] | None:
    """The tokens of a whole text; None, after reports, where it is wrong before any rule of the grammar is applied."""
    text, wrong, in_string = source.text, 0, False
    while wrong < MOST_PIECES:
        try:
            tokens = list(parser().lex(text))
        except UnexpectedCharacters as error:
            start = error.pos_in_stream or 0
            end = report_piece(source, start, findings)
            in_string = in_string or text[start] == '"'
            text = text[:start] + " " * (end - start) + text[end:]
            wrong += 1
        except Refused as error:
            if not in_string:  # a string without an end hides the brackets on its line
                _report_refused(source, error, findings)
            return None
        else:
            return None if wrong else tokens
    return None


def _report_refused(source: Source, error: Refused, findings: Findings) -> None:
    also = []
    if error.also is not None:
        place, why = error.also
        also = [(Span(source, place, min(place + 1, len(source.text))), why)]
    findings.report(error.rule, _span(source, error.token), error.message, secondary=also, help=error.help)


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """A token that can't stand where it stands: `tokens[position]`, in the statement that begins at `tokens[first]`.

    `accepted` are the terminals that could; words and signs are named by themselves, the others as in the grammar.
    `place` says whose statements stand here: those of a "file", a "supernet", a "body", or a "section"'s settings.
    """

    tokens: Sequence[Token]
    position: int
    first: int
    accepted: frozenset[str]
    place: str

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    @property
    def before(self) -> Token:
        """The token before it; an empty one at the beginning of the file."""
        return self.tokens[self.position - 1] if self.position else Token("$BEGIN", "", start_pos=0, end_pos=0)


def _met(source: Source, tokens: list[Token], error: UnexpectedToken) -> _Met:
    size = len(source.text)
    end = Token("$END", "", start_pos=size, end_pos=size)
    at_end = error.token.type == "$END"
    position = len(tokens) if at_end else bisect(tokens, error.token.start_pos or 0, key=_end)
    tokens[position : position + 1] = [end if at_end else _without_lines(error.token)]
    first = position
    while first and not (tokens[first - 1].type == "_SEP" or tokens[first - 1] in ("{", "}")):
        first -= 1
    machine = error.interactive_parser
    assert machine is not None
    machine.parser_state.value_stack.clear()  # some versions of lark copy the values with every question
    named = words()
    accepted = frozenset(named.get(terminal, terminal) for terminal in machine.accepts())  # type: ignore[no-untyped-call]
    place = _place(machine)
    if place == "body" and position == first + 1 and tokens[first] in _INNER | _SETTINGS | _DECLARATIONS:
        accepted -= {"="}  # a tensor may have a keyword's name, but that was not meant
    return _Met([*tokens, end, end], position, first, accepted, place)


def _without_lines(token: Token) -> Token:
    """`else` and `shortcut` without the lines before them, as the words they are."""
    if token.type not in ("_ELSE", "_SHORTCUT"):
        return token
    word, end = token.split()[-1], _end(token)
    line = token.end_line
    return Token("NAME", word, start_pos=end - len(word), end_pos=end, line=line, end_line=line)


def _place(machine: InteractiveParser) -> str:
    state = machine.parser_state
    for position in reversed(state.state_stack):
        row = state.parse_conf.states[position]
        for keyword, place in (("REPEAT", "body"), ("STEM", "supernet"), ("SUPERNET", "file")):
            if keyword in row:
                return place
    return "section"


def _report_unexpected(source: Source, met: _Met, findings: Findings) -> None:
    """One diagnostic about a token that can't stand where it stands."""
    if _misplaced(source, met, findings):
        return
    token, before = met.token, met.before
    help = _probably(met)
    text, span = _shown(token), _span(source, token)
    found = f"found `{text}`"
    if token.type == "$END" or token.startswith("\n"):
        found = "the file ends here" if token.type == "$END" else "the line ends here"
        span = Span(source, _end(before), _end(before))
    elif "_SEP" in met.accepted and not help and _is_word(token) and before.end_line == token.line:
        message = f"`{text}` begins a second statement on this line"
        findings.report(NO_SEPARATOR, span, message, help=f"put `;` or a line break before `{text}`")
        return
    findings.report(UNEXPECTED, span, f"expected {_expected(met.accepted)}, {found}", help=help)


def _misplaced(source: Source, met: _Met, findings: Findings) -> bool:
    """Reports a statement that belongs in other braces than those it stands in; False where that is not the matter."""
    word, following, place = met.tokens[met.first], met.tokens[met.first + 1], met.place
    if not word.isidentifier() or met.position != (met.first + 1 if place == "body" else met.first):
        return False
    ends = following.type in ("_SEP", "$END")
    is_call = ends or following in ("(", "}", "=")
    if word in _TOP and place in ("supernet", "body") and following != "(":
        message, help = f"`{word}` is only allowed outside all braces", "is a `}` missing before it?"
    elif word in _SUPERNET and place == "body" and following != "(":
        message = f"`{word}` is only allowed directly in a supernet's braces"
        help = "put it before the stem, where all stages see it; or is a `}` missing before it?"
    elif word in _SUPERNET | _SETTINGS and place == "file" and following != "=" and following.type != "_SEP":
        message, help = f"`{word}` is only allowed in a supernet's braces", "put it into `supernet NAME { }`"
    elif place in ("supernet", "file") and (word in _INNER or is_call):
        message = f"`{word}` is only allowed in the braces of a stem, a stage, a head or a block"
        help = f"put it into one of these: `stage {{ {_shown(word)} ... }}`"
    else:
        return False
    findings.report(MISPLACED, _span(source, word), message, help=help)
    return True


def _probably(met: _Met) -> str:
    """What was probably meant: a keyword like the word here or the one the statement begins with, or a sign."""
    token, before, begins = met.token, met.before, met.tokens[met.first]
    at_first, at_second = met.position == met.first, met.position == met.first + 1
    if begins in STATEMENTS and (at_first or at_second):
        return STATEMENTS[begins]
    if token.type == "DOTTED" and at_first:
        last = token.rsplit(".", 1)[-1].lower()
        return operator_elsewhere(token) or f"operators are written without a module: `{last}`"
    if token == "," and met.accepted <= {")"} | _OPERATOR:
        return tuple_elsewhere(*_argument_at(met.tokens, met.position))
    if said := _said_of_sign(token, before, met.accepted):
        return said
    if begins in _BRACED and ("{" in met.accepted or begins == "residual"):
        return f"write its content in braces: `{begins}{_BRACED[begins]} {{ ... }}`"
    if before.type == "NUMBER" and token in UNITS:
        return f"write the unit right after the number: `{before}{token}`"
    meant = near(token, met.accepted & keywords(), most=1, least=0.7) if token.isidentifier() else ""
    if not meant and at_second and begins.isidentifier():
        inside = {"body": _INNER, "supernet": _SUPERNET, "file": _TOP}.get(met.place, frozenset())
        meant = near(begins, inside | _SETTINGS | _DECLARATIONS, most=1, least=0.7)
    return meant


def _argument_at(tokens: Sequence[Token], position: int) -> tuple[str, str, bool]:
    """The call in whose arguments the parenthesis around a token stands, and the parameter it is given to.

    "" for a list outside calls, and for an argument without a name; then whether it is the first argument.
    """
    place = _opener(tokens, position)
    parameter = tokens[place - 2].value if place > 1 and tokens[place - 1] == "=" else ""
    outer = _opener(tokens, place)
    is_call = outer > 0 and tokens[outer] == "(" and tokens[outer - 1].isidentifier()
    return tokens[outer - 1].value if is_call else "", parameter, place == outer + 1


def _opener(tokens: Sequence[Token], position: int) -> int:
    """The index of the bracket that is open at a token; 0 where none is."""
    depth = 0
    for index in range(position - 1, -1, -1):
        depth += (tokens[index] in (")", "]", "}")) - (tokens[index] in ("(", "[", "{"))
        if depth < 0:
            return index
    return 0


def _said_of_sign(sign: Token, before: Token, accepted: frozenset[str]) -> str:
    """What was probably meant by a sign of another language."""
    adjacent = before.end_pos == sign.start_pos
    if sign == "=":
        return "did you mean `==`?" if "==" in accepted else "leave `=` out" if "{" in accepted else ""
    if sign == "/" and "_SEP" in accepted:
        return "comments begin with `#`"
    if sign == before and adjacent and sign in ("/", "*"):
        return "whole division is `floor(a / b)`" if sign == "/" else "a power is a product: `a * a`"
    if sign in (",", "-") and "_SEP" in accepted:
        return "statements end with `;` or with their line"
    if sign == "-" and before.isidentifier() and adjacent and "-" not in accepted:
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
            rest -= _INNER | _SUPERNET | _TOP | _SETTINGS | _DECLARATIONS | {"param", "NAME", "("}
    if {"*", "/", "+"} <= rest:
        rest -= _OPERATOR
        words.append("an operator")
    words += sorted(_IN_WORDS.get(kind, f"`{kind}`") for kind in rest)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _is_word(token: Token) -> bool:
    return token.type in ("NAME", "DOTTED")


def _span(source: Source, token: Token) -> Span:
    return Span(source, token.start_pos or 0, _end(token))


def _end(token: Token) -> int:
    return token.end_pos or 0


def _shown(text: str) -> str:
    return text if len(text) <= 30 else text[:30] + "..."
