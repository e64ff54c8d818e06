"""editors/ highlights what specc's parser reads: every keyword where it is one, every operator, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from specc.semantics.arithmetic import FUNCTION_ARITY
from specc.semantics.check import operator_names
from specc.syntax.grammar import keywords, parser
from tests.helpers.folders import PACKAGE, ROOT, SPECS
from tests.helpers.textmate import TextMate, read_grammar

FOLDER = ROOT / "editors"
GRAMMAR = read_grammar(FOLDER / "specc.tmLanguage.json")
KEYWORDS = keywords()
FILES = sorted([*SPECS.glob("*.specc"), *(PACKAGE / "std").glob("*.specc"), *(ROOT / "tests").rglob("*.specc")])
REFERENCE = (ROOT / "grammar" / "REFERENCE.md").read_text(encoding="utf-8")
WHOLE = re.findall(r"^```specc *\n(.*?)^```$", REFERENCE, re.M | re.S)
NO_MERE_NAMES = ("constant.language", "support.function", "variable.parameter")
NAMES = """
block stage(width, step=2, norm=3) { conv(width, kernel=step); when norm > 2 { relu } }
supernet repeat {
  input image(3, 8, 8); classes 10
  norm batch; width uniform {0.5, 1.0} round 8
  stem { width = conv(8, kernel=3); residual { conv(in, kernel=1, from=width, width=fixed) }; norm; stage(8) }
  stage sum {
    branches 4 concat { conv(2, kernel=1) }
    skippable { when in >= 4 and not (in == 5) { conv(8, kernel=1); relu } else { relu } }
    residual { relu }
    shortcut { conv(8, kernel=1) } # a residual's, on a line of its own
  }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=4)
"""
"""Keywords that are names here, and others that are not."""


def test_the_repository_is_whole() -> None:
    package = json.loads((FOLDER / "package.json").read_text())
    (language,), (grammar,) = package["contributes"]["languages"], package["contributes"]["grammars"]
    assert language["extensions"] == [".specc"]
    assert grammar["scopeName"] == GRAMMAR.content["scopeName"]
    for path in (language["configuration"], grammar["path"]):
        json.loads((FOLDER / path).read_text())
    included = set(re.findall(r'"include": "#(\w+)"', (FOLDER / grammar["path"]).read_text()))
    assert included == set(GRAMMAR.content["repository"])


def words_of(text: str) -> Iterator[tuple[int, str, bool]]:
    """The words of a text that parses: where each begins, the word, and whether the parser takes it for a keyword."""
    for token in parser().parse_interactive(text).iter_parse():
        word = token.lstrip("\n \t") if token.type in ("_ELSE", "_SHORTCUT") else str(token)
        if re.match(r"[A-Za-z_]", word):
            start = (token.end_pos or 0) - len(word)
            named = re.match(r"\s*=(?!=)", text[start + len(word) :])
            yield start, word, token.type not in ("NAME", "DOTTED") and not named


def texts() -> list[tuple[str, str]]:
    files = [(path.stem, path.read_text(encoding="utf-8")) for path in FILES]
    return [*files, *((f"example {n}", text) for n, text in enumerate(WHOLE)), ("names", NAMES)]


@pytest.mark.parametrize(("name", "text"), texts(), ids=lambda value: value if len(value) < 40 else "")
def test_words_are_what_the_parser_takes_them_for(name: str, text: str) -> None:
    scopes = {piece.start: piece.scope for piece in GRAMMAR.scopes(text)}
    for start, word, is_keyword in words_of(text):
        scope, place = scopes.get(start), f"line {text.count(chr(10), 0, start) + 1}: {word}"
        assert scope, place
        highlighted = scope.startswith(("keyword", "storage"))
        if word in ("yes", "no", "norm"):
            assert highlighted or scope.startswith(NO_MERE_NAMES), place
        else:
            assert highlighted == is_keyword, f"{place} is {scope}"


@pytest.mark.parametrize(("name", "text"), texts(), ids=lambda value: value if len(value) < 40 else "")
def test_nothing_but_blanks_is_left_plain(name: str, text: str) -> None:
    for piece in GRAMMAR.scopes(text):
        assert piece.scope or not text[piece.start : piece.end].strip(), text[piece.start : piece.end]
        assert "invalid" not in piece.scope


def scope_of(line: str, part: str) -> str:
    """The scope of a part of a line, which it has as a whole."""
    (found,) = [s.scope for s in GRAMMAR.scopes(line) if line[s.start : s.end].strip() == part]
    return found


def test_every_keyword_is_met_as_one() -> None:
    """So the test above has seen each of them."""
    met = {word for _, text in texts() for _, word, is_keyword in words_of(text) if is_keyword}
    assert met == keywords()


@pytest.mark.parametrize("name", operator_names())
def test_operators_are_highlighted(name: str) -> None:
    assert scope_of(f"  {name}; conv_2", name) == "support.function.specc"
    assert scope_of(f"  {name}(3)", name) == "support.function.specc"


def test_nothing_else_is_highlighted_as_an_operator_or_a_function() -> None:
    repository = GRAMMAR.content["repository"]
    listed = re.findall(r"\w{2,}", repository["operator"]["patterns"][0]["match"].removeprefix("\\b"))
    assert listed == sorted(operator_names())
    (functions,) = (pattern["match"] for pattern in repository["function"]["patterns"])
    assert re.findall(r"[a-z]{2,}", functions.removeprefix("\\b")) == sorted(FUNCTION_ARITY)


@pytest.mark.parametrize("number", ["0", "0.25", "1e-4", "10M", "1.5k", "5ms", "30us", "2s", "4kB", "1GB"])
def test_numbers(number: str) -> None:
    assert scope_of(f"conv({number}, kernel=3)", number) == "constant.numeric.specc"


@pytest.mark.parametrize("number", ["3x", "10Mb", "x10"])
def test_what_is_no_number(number: str) -> None:
    assert "constant.numeric.specc" not in {s.scope for s in GRAMMAR.scopes(number)}


def test_strings_and_comments() -> None:
    line = r'import "a # \n \d.specc"  # a "comment"'
    scopes = [(line[s.start : s.end], s.scope) for s in GRAMMAR.scopes(line)]
    assert (r"\n", "constant.character.escape.specc") in scopes
    assert (r"\d", "invalid.illegal.escape.specc") in scopes
    assert ('# a "comment"', "comment.line.number-sign.specc") in scopes
    assert sum(scope == "comment.line.number-sign.specc" for _, scope in scopes) == 1


def test_a_string_ends_with_its_line() -> None:
    scopes = GRAMMAR.scopes('import "open\nlet a = 1\n')
    assert "storage.type.specc" in {s.scope for s in scopes}


def test_patterns_are_read_alike_by_other_engines() -> None:
    """Lookbehinds of one length (JavaScript's converters and Oniguruma), no inline flags, no possessive quantifiers."""
    text = Path(FOLDER / "specc.tmLanguage.json").read_text()
    patterns = re.findall(r'"(?:match|begin|end)": "((?:[^"\\]|\\.)*)"', text)
    assert len(patterns) > 30
    for pattern in map(json.loads, (f'"{p}"' for p in patterns)):
        re.compile(pattern)
        assert not re.search(r"\(\?[aiLmsux]|\(\?P|[*+?]\+|\\h", pattern)


def test_helper_reads_the_innermost_scope() -> None:
    content = {"patterns": [{"match": r"(a)(b)?", "name": "both", "captures": {"1": {"name": "first"}}}]}
    found = [(s.start, s.end, s.scope) for s in TextMate(content).scopes("xab\na")]
    assert found == [(0, 1, ""), (1, 2, "first"), (2, 3, "both"), (4, 5, "first")]
