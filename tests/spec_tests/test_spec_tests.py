"""Every heading of the Markdown files beside this one is a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.diagnostics.catalogue import all_rules
from tests.spec_tests.harness import SpecTest, all_tests, run

TESTS = tuple(all_tests())


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_spec(test: SpecTest, tmp_path: Path) -> None:
    run(test, tmp_path)


def test_names_are_unique() -> None:
    names = [test.name for test in TESTS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_every_rule_is_provoked(rule: object) -> None:
    assert rule.name in {expected.rule for test in TESTS for expected in test.expected("error")}  # type: ignore[attr-defined]
