"""Every heading of the Markdown files beside this one is a test; and every rule there is, is provoked by one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, Literal

import pytest
import torch

import specc
from specc import pipeline
from specc.diagnostics import Rule, SpecError
from specc.diagnostics.catalogue import all_rules
from specc.runtime.verify import macs, scatter, size
from specc.semantics.check import operator_names
from tests.helpers.commands import specc as command
from tests.helpers.facts import facts_in
from tests.helpers.folders import ROOT
from tests.helpers.projects import extremes, input_shapes, project
from tests.helpers.spec_tests import SpecTest, all_tests, read_tests, run

TESTS = tuple(all_tests())
ENDS: Final[tuple[Literal["max", "min"], ...]] = ("max", "min")
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


@pytest.mark.parametrize("name", operator_names())
def test_facts_are_stated_of_every_operator(name: str) -> None:
    lines = (line for test in TESTS for line in test.main.splitlines())
    assert any(re.search(rf"\b{name}\b.*# (shape|macs|params): ", line) for line in lines)


@pytest.mark.parametrize(
    ("fact", "found"),
    [
        ("shape: [16, 32, 33]", r"line 2: shape at max is \[16, 32, 32\], not \[16, 32, 33\]"),
        ("shape: none at s1.keep=yes", "line 2: shape at s1.keep=yes is"),
        ("macs: 9 * 256", "line 2: macs at max is 2359296"),
        ("params: 1 at min", "line 2: params at min is 0"),
        ("size: 3", "line 2: size at max is 2"),
        ("choices: s1.keep {no}", "s1.keep: no, yes"),
        ("choices: keep", "the choices are s1.keep"),
        ("macs: many", "no arithmetic"),
    ],
)
def test_a_fact_that_does_not_hold_fails(fact: str, found: str, tmp_path: Path) -> None:
    text = f"# A\n```specc stage\nrelu\nskippable {{ conv(16, kernel=3) }}   # {fact}\n```\n"
    (test,) = read_tests("wrong", text)
    with pytest.raises(AssertionError, match=found):
        run(test, tmp_path)


@pytest.mark.parametrize("test", [t for t in TESTS if facts_in(t.main)], ids=lambda test: test.name)
def test_torch_counts_what_is_stated(test: SpecTest, tmp_path: Path) -> None:
    """The figures of a network with stated facts are those of the generated code, at both ends."""
    for name, text in test.files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    compiled = pipeline.load(tmp_path / "main.specc")
    graph, net = compiled.graph, specc.api.Network(compiled)
    model = project(compiled, tmp_path / "project").model.Model().eval()
    scatter(model)
    for end, at in zip(ENDS, extremes(graph) if graph.choices else [{}], strict=False):
        extracted = model.extract(model.plan(end), fold=False) if graph.choices else model
        inputs = [torch.zeros(1, *shape) for shape in input_shapes(graph, at)]
        stated = net.cost(end)
        assert (size(extracted), macs(extracted, inputs)) == (stated.params, stated.macs)
