"""Long and deep specs: linear, or refused with the reason; never past Python's stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.diagnostics import SpecError
from specc.pipeline import compile_project, load
from specc.source import Source
from specc.syntax.brackets import MOST_TOKENS
from tests.helpers.counting import calls
from tests.helpers.networks import reported, spec


def said(text: str) -> list[str]:
    """What is reported of a spec."""
    with pytest.raises(SpecError) as caught:
        load(Source("test.specc", text))
    return [f"{d.rule.name}: {d.primary.message}" for d in caught.value.diagnostics]


def chain(length: int) -> str:
    calls = (f"block b{i}() {{ b{i + 1}() }}\n" for i in range(length))
    return "".join(calls) + f"block b{length}() {{ relu }}\n"


def test_a_long_chain_of_blocks_that_nobody_calls_is_fine() -> None:
    assert reported(chain(2000) + spec("stage s1 { b1990() }")) == []


def test_a_long_chain_of_blocks_is_too_deep_to_write_out() -> None:
    assert said(chain(2000) + spec("stage s1 { b0() }")) == [
        "network-too-large: calls and braces nest more than 100 deep here"
    ]


def test_a_circle_at_the_end_of_a_long_chain_is_shown() -> None:
    circle = chain(2000) + "block c() { d() }\nblock d() { b1(); c() }\n"
    assert reported(circle + spec("stage s1 { relu }")) == ["recursion"]


def exits(count: int) -> str:
    return "".join(f"exit e{i} {{ pool(avg); linear(classes) }}; conv(16, kernel=1); " for i in range(count))


@pytest.mark.slow
def test_a_hundred_exits_compile() -> None:
    compile_project(load(Source("test.specc", spec(f"stage s1 {{ {exits(100)} }}"))))


def test_more_than_a_hundred_exits_are_refused() -> None:
    assert said(spec(f"stage s1 {{ {exits(101)} }}")) == ["network-too-large: there are more than 100 exits by now"]


def test_a_long_chain_of_imports_is_refused(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"a{number}.specc").write_text(f"import a{number + 1}\n")
    (tmp_path / "a300.specc").write_text("block b() { relu }\n")
    (tmp_path / "net.specc").write_text("import a250\n" + spec("stage s1 { relu }"))
    load(tmp_path / "net.specc")
    (tmp_path / "net.specc").write_text("import a0\n" + spec("stage s1 { relu }"))
    with pytest.raises(SpecError, match="imports-too-deep"):
        load(tmp_path / "net.specc")


def test_many_mistakes_are_found_in_linear_time() -> None:
    def wrong(count: int) -> str:
        return spec("stage s1 { " + "; ".join(f"nosuch{i}(3); conv(nothing{i}, kernel=1)" for i in range(count)) + " }")

    few, many = calls(lambda: reported(wrong(500))), calls(lambda: reported(wrong(2000)))
    assert many < 5 * few


def test_a_set_of_many_options_takes_linear_time() -> None:
    def wide(count: int) -> str:
        words = ", ".join(f"w{i}" for i in range(count))
        return spec(f"stage s1 {{ choice k in {{{words}}}; when k == w1 {{ relu }} }}")

    few, many = calls(lambda: reported(wide(1000))), calls(lambda: reported(wide(4000)))
    assert many < 5 * few


def test_a_text_that_is_too_long_is_refused_before_it_is_read() -> None:
    small, comments = spec("stage s1 { relu }"), "#\n" * (MOST_TOKENS + 5)
    for long in (comments + small, small + comments):
        assert [text.partition(":")[0] for text in said(long)] == ["too-long"]
