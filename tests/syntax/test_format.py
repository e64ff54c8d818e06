"""The formatter: what it says stays the same, every comment stays, and a second run changes nothing."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.syntax.format import COLUMNS, format_spec, same
from tests.helpers.texts import laid_out, parsed, spec_texts

SEEDS = st.integers(0, 2**32)


def formatted(text: str) -> str:
    return format_spec(parsed(text))


@settings(max_examples=150, deadline=None)
@given(spec_texts, SEEDS)
def test_formatting_keeps_meaning_and_comments_and_is_idempotent(text: str, seed: int) -> None:
    tree = parsed(laid_out(text, seed))
    once = format_spec(tree)
    again = parsed(once)
    assert same(tree, again)
    assert [comment.text for comment in tree.comments] == [comment.text for comment in again.comments]
    assert format_spec(again) == once


@settings(max_examples=100, deadline=None)
@given(spec_texts, SEEDS, SEEDS)
def test_the_layout_of_a_text_does_not_change_what_it_says(text: str, first: int, second: int) -> None:
    assert same(parsed(laid_out(text, first)), parsed(laid_out(text, second)))


@settings(max_examples=100, deadline=None)
@given(spec_texts, SEEDS)
def test_lines_carry_no_blanks_at_their_ends_and_at_most_one_empty_line_stands_alone(text: str, seed: int) -> None:
    once = formatted(laid_out(text, seed))
    assert all(line == line.rstrip() for line in once.splitlines())
    assert "\n\n\n" not in once
    assert once == "" or (once.endswith("\n") and not once.endswith("\n\n"))


def test_same_sees_every_difference() -> None:
    base = parsed("let a = 1 + 2")
    assert same(base, parsed("let  a = (1+2) # hm"))
    for other in ("let b = 1 + 2", "let a = 1 - 2", "let a = 1 + 3", "let a = 1 + 2.0", "param a = 1 + 2", ""):
        assert not same(base, parsed(other))


CASES = {
    "a one-line body stays on its line": (
        "supernet s { stem {conv(32,kernel=3);norm;relu6} }",
        "supernet s { stem { conv(32, kernel=3); norm; relu6 } }\n",
    ),
    "a body over several lines stays so, and statements keep sharing lines": (
        """\
        supernet s {
        stem {

        conv(32); norm


        relu }
        }
        """,
        """\
        supernet s {
          stem {
            conv(32); norm

            relu
          }
        }
        """,
    ),
    "what does not fit is broken": (
        f"supernet s {{ stem {{ {'; '.join(['conv(32, kernel=3)'] * 5)} }} }}",
        """\
        supernet s {
          stem {
            conv(32, kernel=3); conv(32, kernel=3); conv(32, kernel=3); conv(32, kernel=3)
            conv(32, kernel=3)
          }
        }
        """,
    ),
    "comments stay where they are": (
        """\
        # above
        supernet s { # beside the brace
          # own line
          input image(3, # channels
            8, 8); classes 10 # ten
          # before the brace
        } # after it
        # at the end""",
        """\
        # above
        supernet s {  # beside the brace
          # own line
          input image(
            3,  # channels
            8,
            8
          )
          classes 10  # ten
          # before the brace
        }  # after it
        # at the end
        """,
    ),
    "a comment within an expression moves above its statement": (
        "let a = (1 # one\n + 2)",
        "# one\nlet a = 1 + 2\n",
    ),
    "comments between a brace and what goes on after it": (
        "block b { residual { relu } # one\n# two\nshortcut { relu6 }\nwhen x { relu }\nelse { norm } }",
        """\
        block b {
          residual { relu }  # one
          # two
          shortcut { relu6 }
          when x { relu } else { norm }
        }
        """,
    ),
    "parentheses only where they are needed": (
        "let a = ((1 + 2)) * (3 * 4) - (5 - 6) - (-(7)) + (1..2)",
        "let a = (1 + 2) * (3 * 4) - (5 - 6) - -7 + (1..2)\n",
    ),
    "not, and, or and comparisons": (
        "let a = not ((a and b) or c) and (d == e) == f",
        "let a = not (a and b or c) and (d == e) == f\n",
    ),
    "ranges, sets and widths": (
        "supernet s { width per_group 0.5 .. 1.0 step 0.1 round 8; width any {1,2}; width by k; width fixed }",
        "supernet s { width per_group 0.5..1.0 step 0.1 round 8; width any {1, 2}; width by k; width fixed }\n",
    ),
    "several inputs, labels and heads": (
        'supernet s { input left image(3,8,8); labels {fine=classes ;coarse = 20 from "c.csv"}; head by k,level { } }',
        """\
        supernet s {
          input left image(3, 8, 8); labels { fine = classes; coarse = 20 from "c.csv" }
          head by k, level { }
        }
        """,
    ),
    "nothing": ("\n\n", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_layout(case: str) -> None:
    text, expected = CASES[case]
    assert formatted(dedent(text)) == dedent(expected)


def test_lines_fit_where_they_can_be_broken() -> None:
    call = ", ".join(f"argument_{number}={number}" for number in range(12))
    text = f"supernet s {{ stem {{ x = conv({call}, inner=f({call})) }} }}"
    lines = formatted(text).splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert "argument_3=3," in [line.strip() for line in lines]
