"""The parser: what a text becomes, where keywords are names, how numbers are read, and how long it takes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark

from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax import ast
from specc.syntax.brackets import DEEPEST
from specc.syntax.format import same
from specc.syntax.grammar import grammar_text, keywords
from specc.syntax.parse import parse
from tests.helpers.counting import calls
from tests.helpers.texts import laid_out, parsed, spec_texts, statements, wrong


def value(text: str) -> ast.Expression:
    (statement,) = parsed(f"let a = {text}").items
    assert isinstance(statement, ast.LetStatement)
    return statement.value


# --- numbers ---------------------------------------------------------------------------------------

NUMBERS = {
    "0": 0,
    "64": 64,
    "0.25": Fraction(1, 4),
    "1.0": 1,
    "1e-4": Fraction(1, 10_000),
    "2.5e3": 2500,
    "1E+2": 100,
    "10M": 10_000_000,
    "1.5k": 1500,
    "2G": 2 * 10**9,
    "1ms": Fraction(1, 1000),
    "10us": Fraction(1, 100_000),
    "2s": 2,
    "8MB": 8_000_000,
    "1kB": 1000,
    "0.1": Fraction(1, 10),
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_exact(text: str) -> None:
    number = value(text)
    assert isinstance(number, ast.Number)
    assert number.value == NUMBERS[text]
    assert type(number.value) is type(NUMBERS[text])
    assert number.text == text


@pytest.mark.parametrize(
    "text",
    ["1e999999999", "1e-999999999", "9" * 1_000_000, "0." + "1" * 1_000_000, "1e" + "9" * 100_000, "9" * 99_999 + "x"],
)
def test_hostile_numbers_are_refused(text: str) -> None:
    (diagnostic,) = wrong(f"let a = {text}")
    assert diagnostic.rule.name == "bad-number"


# --- strings ---------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
@settings(deadline=None)
def test_strings_hold_every_visible_character(content: str) -> None:
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    text = value(f'"{escaped}"')
    assert isinstance(text, ast.Text)
    assert text.value == content


def test_escapes() -> None:
    text = value(r'"a\n\t\"\\n"')
    assert isinstance(text, ast.Text)
    assert text.value == 'a\n\t"\\n'


# --- precedence ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("-1 * 2", "(-1) * 2"),
        ("not a == b and c or d", "((not (a == b)) and c) or d"),
        ("1 + 1..n * 2 step 1 + 1", "(1 + 1)..(n * 2) step (1 + 1)"),
        ("a < b + 1", "a < (b + 1)"),
    ],
)
def test_what_binds_tighter(text: str, meant: str) -> None:
    assert same(value(text), value(meant))


# --- contextual keywords ---------------------------------------------------------------------------

KEYWORDS = sorted(keywords() - {"and", "or", "not", "yes", "no"})
"""Those five have no other meaning wherever a value can stand."""


@pytest.mark.parametrize("word", KEYWORDS)
def test_a_keyword_may_name_an_argument_a_tensor_a_parameter_and_a_value(word: str) -> None:
    (bound, used) = statements(f"{word} = conv(8, {word}=3)\nconv({word} * 2, from={word})")
    assert isinstance(bound, ast.CallStatement)
    assert bound.targets[0].name == word
    assert bound.call.args[1].name is not None
    assert bound.call.args[1].name.name == word
    assert isinstance(used, ast.CallStatement)
    (block,) = parsed(f"block b({word}, other={word}) {{ }}").items
    assert isinstance(block, ast.Block)
    assert block.parameters[0].name.name == word


def test_norm_is_an_operator_alone_and_a_setting_before_a_name() -> None:
    kinds = [type(each) for each in statements("norm\nnorm(bank=shared)\nnorm batch\nnorm batch(eps=1e-3)\nx = norm")]
    assert kinds == [ast.CallStatement, ast.CallStatement, ast.NormSetting, ast.NormSetting, ast.CallStatement]


def test_width_settings() -> None:
    found = statements("width per_group 0.5..1.0 step 0.1 round 8\nwidth any {1, 2}\nwidth fixed\nwidth by k round 4")
    settings = [each for each in found if isinstance(each, ast.WidthSetting)]
    assert [each.mode.name for each in settings] == ["per_group", "any", "fixed", "by"]
    assert [type(each.options).__name__ for each in settings] == ["RangeExpr", "SetExpr", "NoneType", "Name"]
    assert [getattr(each.round, "value", None) for each in settings] == [8, None, None, 4]


# --- lines -----------------------------------------------------------------------------------------


def test_newlines_mean_nothing_in_brackets_and_sets() -> None:
    spread = parsed("method m(\n a = {1,\n 2},\n b = [\n x\n]\n)\n\n\ndata d")
    assert same(spread, parsed("method m(a={1, 2}, b=[x]); data d"))


def test_else_and_shortcut_may_stand_on_the_next_line() -> None:
    spread = statements("when a { }\n# why\nelse when b { }\n\nelse { }\nresidual { }\nshortcut when c { }\nshortcut")
    together = statements("when a { } else when b { } else { }; residual { } shortcut when c { }; shortcut")
    assert same(spread, together)
    assert len(spread) == 3


def test_next_issue_is_in_the_grammar() -> None:
    found = statements(
        "(l, r) = split(2); concat(l, branch(from=r)); branches 8 by k sum { conv(4) }\nexit e1 { pool(avg) }\n"
        "repeat n as i { f(40, drop_path=0.2 * i / n) }; connect triangular(6); concat(here, dense_layer(32))"
    )
    assert [type(each).__name__ for each in found] == [
        "CallStatement", "CallStatement", "Branches", "Exit", "Repeat", "ConnectSetting", "CallStatement"
    ]  # fmt: skip


def test_spans_point_at_the_text_of_their_node() -> None:
    (supernet,) = parsed("supernet s {\n  stem { a = conv(64, kernel=(3 + 1)) }\n}").items
    assert isinstance(supernet, ast.Supernet)
    stem = supernet.body.statements[0]
    assert isinstance(stem, ast.Stage)
    assert stem.span.text == "stem { a = conv(64, kernel=(3 + 1)) }"
    assert stem.span.location() == "test.specc:2"
    (call,) = stem.body.statements
    assert isinstance(call, ast.CallStatement)
    assert call.call.args[1].span.text == "kernel=(3 + 1)"
    assert call.call.args[1].value.span.text == "(3 + 1)"


# --- size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "supernet s { stage {\n" + "conv(64, kernel=3)\n" * n + "} }",
        lambda n: "supernet s { stage { " + "conv(64, kernel=3); norm; relu; " * (n // 3) + "} }",
        lambda n: "method m(a=[" + ", ".join(["1..2"] * n) + "])",
        lambda n: "# comment\n" * n + "\n" * n,
        lambda n: "supernet s { stage { " + "residual { }\n" * n + "} }",
    ],
    ids=["lines", "semicolons", "list", "comments", "braces"],
)
def test_long_texts_take_linear_work_and_no_stack(make: object) -> None:
    assert callable(make)
    parsed("")
    short, long = make(300), make(3000)
    small, large = calls(lambda: parsed(short)), calls(lambda: parsed(long))
    assert large < 13 * small  # ten times as much text; a quadratic step would take a hundred times


@pytest.mark.parametrize(
    "text",
    [
        "let a = " + "(" * 5000 + "1" + ")" * 5000,
        "let a = " + "-" * 5000 + "1",
        "let a = " + " + ".join(["1"] * 5000),
        "let a = " + "not " * 5000 + "b",
        "supernet s { stage { " + "repeat 2 { " * 5000 + "}" * 5002,
        "supernet s { stage { when a { }" + " else when b { }" * 5000 + "} }",
        "supernet s { stage { when a { }" + "\nelse when b { }" * 5000 + "} }",
        "let a = " + "f(" * 5000,
        "let a = " + "1 + (" * 90 + "1" + ")" * 90,
    ],
    ids=["parentheses", "minus", "sum", "not", "braces", "else when", "else when on lines", "calls", "both"],
)
def test_what_is_too_deep_is_refused(text: str) -> None:
    (diagnostic,) = wrong(text)
    assert diagnostic.rule.name == "too-deep"


def test_what_is_just_not_too_deep_is_fine() -> None:
    parsed("let a = " + "(" * DEEPEST + "1" + ")" * DEEPEST)
    parsed("let a = " + " + ".join(["1"] * (DEEPEST + 1)))
    parsed("method m(" + ", ".join(["1 + 1 + 1"] * 1000) + ")")


# --- anything ---------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(spec_texts, st.integers(0, 2**32), st.data())
def test_a_damaged_text_parses_or_says_why(text: str, seed: int, data: st.DataObject) -> None:
    whole = laid_out(text, seed)
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(
        st.sampled_from(("", "(", "}", "=", ",", ";", "\n", '"', "é", "\x00", "3x", "else ", "..", "stage "))
    )
    findings = Findings()
    tree = parse(Source("damaged.specc", whole[:at] + put + whole[at + cut :]), findings)
    assert (tree is None) == bool(findings)
    for diagnostic in findings.diagnostics:
        assert diagnostic.primary.message
        assert 0 <= diagnostic.primary.span.start <= diagnostic.primary.span.end <= len(whole) + len(put)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_parses_or_says_why(text: str) -> None:
    findings = Findings()
    assert (parse(Source("any.specc", text), findings) is None) == bool(findings)


def drawn_from_the_grammar() -> st.SearchStrategy[str]:
    """Texts that lark's own reading of the grammar allows, keywords and signs set apart by blanks."""
    from lark import Lark

    grammar = Lark(grammar_text(), parser="lalr", lexer="basic")
    fixed = {
        t.name: st.just(f" {t.pattern.value} ") for t in grammar.terminals if type(t.pattern).__name__ == "PatternStr"
    }
    names = st.sampled_from((" x ", " conv ", " in "))
    return from_lark(
        grammar,
        explicit={
            **fixed,
            "NAME": names,
            "DOTTED": st.just(" std.mobilenet "),
            "NUMBER": st.sampled_from((" 1 ", " 0.5 ", " 10M ")),
            "STRING": st.just(' "s" '),
            "_SEP": st.sampled_from(("\n", " ; ", ";")),
            "_ELSE": st.sampled_from((" else ", "\nelse ", "\n # c\n\n else ")),
            "_SHORTCUT": st.sampled_from((" shortcut ", "\nshortcut ")),
            "COMMENT": st.just(""),
            "BLANK": st.just("  "),
        },
    )


@settings(max_examples=60, deadline=None)
@given(drawn_from_the_grammar())
def test_our_parser_takes_what_the_grammar_allows(text: str) -> None:
    findings = Findings()
    tree = parse(Source("drawn.specc", text), findings)
    assert tree is not None or {d.rule.name for d in findings.diagnostics} == {"too-deep"}
