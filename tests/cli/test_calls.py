"""An error in a block says which call leads there: its line, its name in the network, and what would cure it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from specc import pipeline
from specc.diagnostics import Diagnostic, SpecError
from specc.source import Source
from tests.helpers.commands import specc as command

WHICH = """\
block r(out) { residual { conv(out, kernel=3) } }
block rr(out) { r(out); r(out) }
supernet which {
  input image(3, 32, 32); classes 10
  stem { conv(16, kernel=3) }
  stage s1 { rr(16); rr(16); rr(32) }
  stage s2 { rr(16) }
  head { pool(avg); linear(classes) }
}
"""


def errors(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        pipeline.load(Source("x.specc", dedent(text)))
    return caught.value.diagnostics


def ways(diagnostic: Diagnostic) -> list[tuple[int, str]]:
    """The lines of the calls and what is said there."""
    labels = [label for label in diagnostic.related if "is called here" in label.message]
    return [(label.span.source.position(label.span.start)[0], label.message) for label in labels]


def test_the_third_call_of_a_block_that_calls_a_block() -> None:
    (found,) = errors(WHICH)
    assert found.path == "s1.b3.r1"
    assert ways(found) == [(2, "`r` is called here, as s1.b3.r1"), (6, "`rr` is called here, as s1.b3")]


def test_the_command_shows_the_lines_and_json_has_them(tmp_path: Path) -> None:
    path = tmp_path / "which.specc"
    path.write_text(WHICH)
    shown = command("check", path).err
    assert "6 |   stage s1 { rr(16); rr(16); rr(32) }\n" in shown
    assert "  |                              ------ `rr` is called here, as s1.b3\n" in shown
    (told,) = command("check", path, "--json").json["diagnostics"]
    assert told["path"] == "s1.b3.r1"
    assert [(r["line"], r["column"]) for r in told["related"]][-2:] == [(2, 17), (6, 30)]


def test_in_a_line_it_says_where_the_call_is() -> None:
    with pytest.raises(SpecError, match=r"in s1\.b3\.r1, called at x\.specc:6:30"):
        pipeline.load(Source("x.specc", WHICH))


def test_the_librarys_blocks_and_the_cure() -> None:
    text = """\
        import std.mobilenet_v3
        supernet a {
          input image(3, 32, 32); classes 10
          norm batch
          width per_group 0.5..1.0 round 8
          stem { conv(24, kernel=3) }
          stage s1 { mb_v3(24); mb_v3(24, expand=88/24) }
          head { pool(avg); linear(classes) }
        }
        """
    (found,) = errors(text)
    assert found.rule.name == "bad-size-at-option"
    assert found.primary.span.shown().startswith("std/mobilenet_v3.specc:")
    assert ways(found) == [(7, "`mb_v3` is called here, as s1.b2")]
    assert found.help.startswith("write `hidden=own` where `mb_v3` is called")
    pipeline.load(Source("x.specc", dedent(text).replace("88/24", "88/24, hidden=own")))


def test_sizes_that_only_some_options_break() -> None:
    """What passes find, long after lowering, knows its calls as well."""
    (kernel,) = errors("""\
        block b(out, kernel=3) { conv(out, kernel=kernel, padding=0) }
        supernet a {
          input image(3, resolution={8, 16}); classes 10
          stem { b(24); b(24); b(24); b(24, kernel=5) }
          head { pool(avg); linear(classes) }
        }
        """)
    assert ways(kernel) == [(4, "`b` is called here, as stem.b4")]
    (tied,) = errors("""\
        block b(out, kernel=3) { residual { conv(out, kernel=kernel, width=follow) } }
        supernet a {
          input image(3, 16, 16); classes 10
          stem { conv(16, kernel=3) }
          stage s1 { b(16); b({8, 16}) }
          head { pool(avg); linear(classes) }
        }
        """)
    assert tied.rule.name == "elastic-sizes-differ"
    assert ways(tied) == [(5, "`b` is called here, as s1.b2")]


def test_an_argument_points_at_itself() -> None:
    """What is wrong stands in the call: no way leads there."""
    (found,) = errors("""\
        block b(out) { conv(out, kernel=3) }
        supernet a {
          input image(3, 16, 16); classes 10
          stem { b(16 / (2 - 2)) }
          head { pool(avg); linear(classes) }
        }
        """)
    assert found.rule.name == "bad-arithmetic"
    assert ways(found) == []


def test_a_long_way_is_cut() -> None:
    blocks = ["block b0(out) { residual { conv(out, kernel=3) } }"]
    blocks += [f"block b{n}(out) {{ b{n - 1}(out) }}" for n in range(1, 30)]
    (found,) = errors(
        WHICH[WHICH.index("supernet") :].replace("rr(", "b29(").replace("supernet", "\n".join(blocks) + "\nsupernet", 1)
    )
    assert len(ways(found)) == 6
    assert ways(found)[0][1].startswith("`b0` is called here, as s1.b3.")
    assert ways(found)[-1][1] == "`b29` is called here, as s1.b3"
