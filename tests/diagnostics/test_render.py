"""Diagnostics as text and as JSON: the line, the carets, other places, long lines, wide letters, control characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specc.diagnostics import Diagnostic, Label, Rule
from specc.diagnostics.render import WIDEST, as_json, render, render_all
from specc.source import Source, Span

RULE = Rule("E999", "made-up", "a rule of these tests", "Why.\nWrong: a\nRight: b")
TEXT = "supernet x {\n  stem { convv(32) }\n\n\n  head { linear(10) }\n}\n"


def at(source: Source, word: str, message: str = "") -> Label:
    start = source.text.index(word)
    return Label(Span(source, start, start + len(word)), message)


def test_a_line_with_carets_and_help() -> None:
    source = Source("a/x.specc", TEXT)
    shown = render(Diagnostic(RULE, at(source, "convv", "there is no `convv`"), (), "did you mean `conv`?"))
    assert shown == (
        "a/x.specc:2:10: error[E999] made-up: there is no `convv`\n"
        "  |\n"
        "2 |   stem { convv(32) }\n"
        "  |          ^^^^^\n"
        "help: did you mean `conv`?"
    )


def test_other_places_are_marked_with_what_they_are() -> None:
    source = Source("x.specc", TEXT)
    found = Diagnostic(RULE, at(source, "linear(10)", "too wide"), (at(source, "convv", "made here"),), "h")
    assert render(found).splitlines()[1:] == [
        "  |",
        "2 |   stem { convv(32) }",
        "  |          ----- made here",
        "...",
        "5 |   head { linear(10) }",
        "  |          ^^^^^^^^^^",
        "help: h",
    ]


def test_two_marks_on_one_line() -> None:
    source = Source("x.specc", "a b\n")
    found = Diagnostic(RULE, at(source, "b", "second"), (at(source, "a", "first"),), "h")
    assert render(found).splitlines()[2:5] == ["1 | a b", "  |   ^", "  | - first"]


def test_a_place_in_another_file_names_it() -> None:
    here, there = Source("x.specc", "import y\n"), Source("y.specc", "block b() { }\n")
    found = Diagnostic(RULE, at(here, "import y", "m"), (at(there, "block b", "there"),), "h")
    assert "  in y.specc:" in render(found)
    assert render(found).index("import y") < render(found).index("in y.specc")


def test_the_end_of_a_file_and_an_empty_file() -> None:
    source = Source("x.specc", "stem {")
    shown = render(Diagnostic(RULE, Label(Span(source, 6, 6), "it ends"), (), "h"))
    assert shown.splitlines()[2:4] == ["1 | stem {", "  |       ^"]
    assert "x.specc:1:1:" in render(Diagnostic(RULE, Label(Span(Source("x.specc", ""), 0, 0), "nothing"), (), "h"))


def test_a_span_over_lines_is_marked_to_the_end_of_its_first() -> None:
    source = Source("x.specc", TEXT)
    shown = render(Diagnostic(RULE, Label(Span(source, 15, len(TEXT)), "m"), (), "h"))
    assert shown.splitlines()[3] == "  |   ^^^^^^^^^^^^^^^^^^"


def test_wide_letters_and_tabs_keep_the_carets_in_place() -> None:
    source = Source("x.specc", '\tdata "数据" bad\n')
    shown = render(Diagnostic(RULE, at(source, "bad"), (), "h"))
    assert shown.splitlines()[2:4] == ['1 |     data "数据" bad', "  |                 ^^^"]


def test_long_lines_are_cut_around_the_mark() -> None:
    source = Source("x.specc", "a" * 1000 + "BAD" + "b" * 1000)
    lines = render(Diagnostic(RULE, at(source, "BAD"), (), "h")).splitlines()
    assert len(lines[2]) < WIDEST + 20
    start = lines[3].index("^")
    assert lines[2][start : start + 3] == "BAD"


def test_nothing_in_a_spec_drives_the_terminal() -> None:
    source = Source("x.specc", "a \x1b[31m b\n")
    shown = render(Diagnostic(RULE, at(source, "b", "`\x1b]0;title\x07` is unknown"), (), "\x1b[2J"))
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_color_is_only_there_when_asked_for() -> None:
    source = Source("x.specc", TEXT)
    found = Diagnostic(RULE, at(source, "convv", "m"), (), "h")
    assert "\x1b[" in render(found, color=True)
    assert "\x1b[" not in render(found)


def test_a_diagnostic_without_help_points_at_explain() -> None:
    assert render(Diagnostic(RULE, at(Source("x", "ab"), "a", "m"))).endswith(
        "help: `specc explain E999` shows a wrong and a right example"
    )


def test_several_are_shown_from_the_top_of_each_file() -> None:
    source = Source("x.specc", TEXT)
    two = [
        Diagnostic(RULE, at(source, "linear", "second"), (), "h"),
        Diagnostic(RULE, at(source, "convv", "first"), (), "h"),
    ]
    shown = render_all(two)
    assert shown.index("first") < shown.index("second")


def test_json_has_lines_and_columns() -> None:
    source = Source("x.specc", TEXT)
    value = as_json(Diagnostic(RULE, at(source, "convv", "m"), (at(source, "head", "n"),), "h"))
    assert value == {
        "severity": "error",
        "code": "E999",
        "rule": "made-up",
        "message": "m",
        "file": "x.specc",
        "line": 2,
        "column": 10,
        "end_line": 2,
        "end_column": 15,
        "help": "h",
        "related": [{"message": "n", "file": "x.specc", "line": 5, "column": 3, "end_line": 5, "end_column": 7}],
    }


@given(st.text(max_size=300), st.data())
def test_any_text_and_any_span_can_be_shown(text: str, data: st.DataObject) -> None:
    source = Source("x.specc", text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown = render(
        Diagnostic(RULE, Label(Span(source, start, end), text), (Label(Span(source, end, end), text),), text)
    )
    assert all(character.isprintable() or character == "\n" for character in shown)
