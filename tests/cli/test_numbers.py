"""Numbers and options are read and printed alike by specs, -p, --at, JSON, windows and generated projects."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import specc
from specc.diagnostics import Findings
from specc.portable.run import numerals
from specc.portable.run.flags import cost, whole
from specc.runtime.train.subnets import own_option, parse
from specc.source import Source
from specc.syntax.ast import LetStatement, Number
from specc.syntax.grammar import parser
from specc.syntax.parse import parse as parse_spec
from tests.helpers.commands import specc as command

NUMBERS = """\
supernet numbers {
  param hidden = 1k
  param rate = 0.5
  param second = no
  param act = relu
  input vector(20); classes 3
  stem { linear(hidden); act; dropout(rate); when second { linear(hidden); relu } }
  head { linear(classes) }
}
"""
FLAGS = """\
supernet flags {
  input image(1, 8, 8); classes 10
  choice deep in {no, yes}
  choice op in {conv3, pool3}
  choice third in {1/3, 2/3, 1}
  width uniform {0.35, 1.0}
  stem { conv(18, kernel=3); relu }
  stage s {
    when deep { conv(18, kernel=3); relu }
    when op == conv3 { conv(18, kernel=3) } else { pool(max, 3, stride=1, padding=1) }
    conv(18 * third, kernel=3, width=follow)
    skippable { relu6 }
  }
  head { pool(avg); linear(classes) }
}
"""


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.specc"
    path.write_text(NUMBERS, encoding="utf-8")
    return path


@pytest.fixture
def flags(tmp_path: Path) -> Path:
    path = tmp_path / "flags.specc"
    path.write_text(FLAGS, encoding="utf-8")
    return path


def in_spec(text: str) -> object:
    """The number that a spec reads, or None with a diagnostic."""
    findings = Findings()
    tree = parse_spec(Source("x", f"let a = {text}\n"), findings)
    if tree is None or findings:
        return None
    (item,) = tree.items
    assert isinstance(item, LetStatement)
    return item.value.value if isinstance(item.value, Number) else None


PIECES = st.sampled_from(
    ["0", "1", "12", "007", ".", ".5", "5.", "e", "E", "e-3", "e+2", "e400", "_", "k", "M", "ms", "s", "kB", "K", " "]
)


@given(st.lists(PIECES, min_size=1, max_size=4).map("".join))
def test_a_number_is_the_same_to_a_spec_and_to_everything_else(text: str) -> None:
    try:
        read: object = numerals.number(text)
    except ValueError:
        read = None
    assert read == (in_spec(text) if text == text.strip() and "\n" not in text else None)


@given(st.one_of(st.fractions(), st.integers(), st.booleans(), st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)))
def test_what_is_written_reads_back(value: object) -> None:
    text = numerals.written(value)
    if len(text) <= numerals.LONGEST and value not in ("yes", "no"):
        assert numerals.read(text) == value
        assert isinstance(numerals.read(text), bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("text", "hidden"), [("2k", 2000), ("2e3", 2000), ("1.5k", 1500), ("3000/2", 1500), ("64", 64), ("64.0", 64)]
)
def test_a_param_is_read_as_the_spec_reads_it(numbers: Path, text: str, hidden: int) -> None:
    expected = specc.load(Source("x", NUMBERS.replace("hidden = 1k", f"hidden = {hidden}"))).cost().params  # type: ignore[arg-type]
    assert command("cost", numbers, "-p", f"hidden={text}", "--json").json["params"] == expected


@pytest.mark.parametrize(
    ("given_", "rule", "said"),
    [
        ("hidden=2_000", "bad-number", "`2_000` is not a number"),
        ("hidden=.5", "bad-number", "is not a number"),
        ("hidden=+5", "bad-number", "is not a number"),
        ("hidden=1e30000000", "bad-number", "too long"),
        ("hidden=" + "9" * 50, "bad-number", "too long"),
        ("hidden=1/0", "bad-number", "divides by zero"),
        ("hidden={1, 2}", "bad-number", "is not a number"),
        ("hidden=yes", "wrong-type", "`hidden` must be a number, got `yes`"),
        ("hidden=wide", "wrong-type", "`hidden` must be a number, got `wide`"),
        ("second=1", "wrong-type", "`second` must be yes or no, got `1`"),
        ("second=True", "wrong-type", "`second` must be yes or no, got `True`"),
        ("act=rely", "unknown-name", "did you mean `relu`"),
        ("hiden=3", "unknown-param", "did you mean `hidden`"),
    ],
)
def test_what_no_param_can_be_is_shown_on_the_command_line(numbers: Path, given_: str, rule: str, said: str) -> None:
    done = command("check", numbers, "-p", given_)
    assert done.code == 1
    assert done.err.startswith("command line:1:")
    assert f"| -p {given_}\n" in done.err
    assert f"{rule}: " in done.err
    assert said in done.err


def test_words_and_switches(numbers: Path) -> None:
    for fine in ("act=hswish", "second=yes", "rate=1/4", "rate=0", "second=no"):
        assert command("check", numbers, "-p", fine).code == 0, fine


@pytest.mark.parametrize("words", [("sample", "-n", "12"), ("sample", "-n", "12", "--distribution", "independent")])
def test_what_sample_prints_can_be_given_back(flags: Path, words: tuple[str, ...]) -> None:
    """A row's `at` gives the same costs, as text and as JSON."""
    lines = command(words[0], flags, *words[1:]).out.splitlines()
    rows = command(words[0], flags, *words[1:], "--json").json
    begin = lines[0].index("at")
    for line, row in zip(lines[1:], rows, strict=True):
        assert "True" not in line
        again = command("cost", flags, "--at", line[begin:], "--json").json
        assert (again["macs"], again["params"]) == (row["macs"], row["params"])
        assert again["at"] == row["at"]
        macs = line.split()[0]  # with commas, as tables have them
        assert command("sample", flags, "--macs", f"{macs}..{macs}", "--json").json[0]["macs"] == row["macs"]


@pytest.mark.parametrize(
    "text", ["deep=yes", "deep=true", "deep=1", "third=1/3", "width=0.35", "width=7/20", "s.keep=no"]
)
def test_options_by_name(flags: Path, text: str, tmp_path: Path) -> None:
    done = command("cost", flags, "--at", text, "--json")
    assert done.code == 0, done.err
    file = tmp_path / "at.json"
    file.write_text(json.dumps(done.json["at"]))
    assert command("cost", flags, "--at", file, "--json").json["at"] == done.json["at"]
    assert all(value is True or value is False for name, value in done.json["at"].items() if name in ("deep", "s.keep"))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("deep=True", "no, yes"),
        ("deep=2", "no, yes"),
        ("third=yes", "1/3, 2/3, 1"),
        ("width=1e1000000000", "0.35, 1"),
        ("width=0.350_", "0.35, 1"),
        ("op=yes", "conv3, pool3"),
    ],
)
def test_what_is_no_option_is_answered_with_those_there_are(flags: Path, text: str, options: str) -> None:
    done = command("cost", flags, "--at", text)
    assert done.code == 1
    assert f"help: its options are {options}\n" in done.err


@pytest.mark.parametrize("number", ["1" * 100_000, "1e1000000000", "1e400", "NaN"])
def test_enormous_numbers_of_a_file_are_refused_at_once(flags: Path, number: str, tmp_path: Path) -> None:
    file = tmp_path / "at.json"
    file.write_text(f'{{"width": {number}}}')
    done = command("cost", flags, "--at", file)
    assert done.code == 1
    assert len(done.err) < 500


@pytest.mark.parametrize("window", ["1_000..2k", "1K..2k", "1s..2s", "1kB..2kB", "1e99..1e999999"])
def test_windows_have_the_numbers_of_specs(flags: Path, window: str) -> None:
    assert command("sample", flags, "--macs", window).code == 2


def test_flags_of_projects_read_the_same_numbers() -> None:
    assert (cost("20M"), cost("20e6"), cost("1.5")) == (20e6, 20e6, 1.5)
    assert (whole(0)("8k"), whole(1)("64")) == (8000, 64)
    assert parse("width=7/20,deep=yes,third=1/3,op=conv3") == {
        "width": Fraction(7, 20), "deep": True, "third": Fraction(1, 3), "op": "conv3",
    }  # fmt: skip
    with pytest.raises(SystemExit, match="too long"):
        parse("width=1e1000000000")
    assert own_option("width", (0.35, 1.0), Fraction(7, 20)) == 0.35
    assert own_option("third", ("1/3", "2/3", 1), Fraction(1, 3)) == "1/3"
    assert own_option("deep", (False, True), True) is True
    with pytest.raises(ValueError, match="deep cannot be 1; its options are no, yes"):
        own_option("deep", (False, True), 1)


@pytest.mark.parametrize(
    ("option", "wanted", "alike"),
    [
        (1 / 3, "1/3", True),
        (1 / 3, Fraction(1, 3), True),
        (0.25, "1/4", True),
        (1 / 3, "0.333", False),
        (True, "yes", True),
        (1, True, False),
        ("conv3", "conv3", True),
        (3, "conv3", False),
        (3, "3", True),
    ],
)
def test_a_third_is_the_option_that_is_a_third_in_a_project(option: object, wanted: object, alike: bool) -> None:
    """`width uniform {1/3, 1.0}`: a project has the float, and what specc prints, `1/3`, is given back to it."""
    assert numerals.same(option, wanted) is alike


def test_whole_numbers_of_flags_are_read_as_all_others(numbers: Path) -> None:
    for text in ("1.5", "x", "1_0", "2s"):
        refused = command("importance", str(numbers), "--subnets", text)
        assert refused.code == 2, text
        assert f"--subnets: `{text}` is not a whole number" in refused.err
    drawn = [command("sample", str(numbers), "-n", "3", "--seed", seed, "--json").out for seed in ("1000", "1k")]
    assert drawn[0] == drawn[1]


@given(st.from_regex(r"\A[0-9]{1,3}[.0-9eE+-]{0,4}(kB|MB|GB|us|ms|[kMGsx_]){0,2}\Z"))
def test_the_grammar_and_the_reader_agree_on_what_a_number_is(text: str) -> None:
    in_grammar = re.compile(parser().get_terminal("NUMBER").pattern.to_regexp())
    assert bool(in_grammar.fullmatch(text)) == bool(numerals.NUMBER.fullmatch(text))
