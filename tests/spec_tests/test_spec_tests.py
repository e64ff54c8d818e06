"""Every heading of the Markdown files beside this one is a test; and every rule there is, is provoked by one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import specc
from specc import pipeline
from specc.diagnostics import Rule, SpecError
from specc.diagnostics.catalogue import all_rules
from tests.cli.commands import specc as command
from tests.folders import ROOT
from tests.spec_tests.harness import SpecTest, all_tests, run

TESTS = tuple(all_tests())
BELOW = ("unreadable-file", "not-utf-8", "unknown-param", "empty-window")
"""What no text in a Markdown file can provoke, but a test in this file does."""


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_spec(test: SpecTest, tmp_path: Path) -> None:
    run(test, tmp_path)


@pytest.mark.parametrize("test", [t for t in TESTS if t.expected("error")], ids=lambda test: test.name)
def test_what_is_wrong_is_shown_and_nothing_is_written(test: SpecTest, tmp_path: Path) -> None:
    for name, text in test.files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = command("compile", tmp_path / "main.specc", "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert not (tmp_path / "out").exists()
    for expected in test.expected("error"):
        assert re.search(rf"{re.escape(expected.file)}:{expected.line}:\d+: error\[E\d+\] {expected.rule}: ", done.err)
    assert done.err.count("\nhelp: ") == done.err.count("error[E")
    assert "^" in done.err


def test_names_are_unique() -> None:
    names = [test.name for test in TESTS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_every_rule_is_provoked(rule: Rule) -> None:
    """By a spec test; rules about questions, not about specs, by a test in Python that names them."""
    expected = (e.rule for test in TESTS for kind in ("error", "warning") for e in test.expected(kind))
    here = {*BELOW, *expected}
    assert rule.name in here or any(f'"{rule.name}"' in text for text in python_tests())


@cache
def python_tests() -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def only_rule(path: Path, **params: str) -> str:
    """The name of the one rule that a spec breaks."""
    with pytest.raises(SpecError) as caught:
        pipeline.load(path, params)
    (found,) = caught.value.diagnostics
    return found.rule.name


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.specc"
    assert only_rule(path) == "unreadable-file"
    assert only_rule(tmp_path) == "unreadable-file"
    path.write_bytes(b"supernet \xff {}")
    assert only_rule(path) == "not-utf-8"


def test_an_imported_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.specc").write_text("import y\n")
    (tmp_path / "y.specc").write_bytes(b"block \xff {}")
    assert only_rule(tmp_path / "x.specc") == "not-utf-8"


def test_a_param_that_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.specc"
    path.write_text(
        "supernet a { param depth = 1; input image(3, 8, 8); classes 2; stem { conv(depth, kernel=3) }\n"
        "head { pool(avg); linear(classes) } }"
    )
    assert only_rule(path, dept="2") == "unknown-param"


def test_a_budget_that_nothing_meets(tmp_path: Path) -> None:
    path = tmp_path / "x.specc"
    path.write_text(
        "supernet a { input image(3, 8, 8); classes 2; width uniform {0.5, 1.0} round 2; stem { conv(8, kernel=3) }\n"
        "head { pool(avg); linear(classes) } }"
    )
    with pytest.raises(SpecError, match="empty-window"):
        specc.load(path).sample(1, macs=(1, 2))
