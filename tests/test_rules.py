"""The catalogue of rules: found by looking, named once, explained with examples."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from specc.diagnostics import Rule
from specc.diagnostics.catalogue import all_rules

RULES = all_rules()


def test_codes_and_names_are_unique() -> None:
    assert max(Counter(rule.code for rule in RULES).values()) == 1
    assert max(Counter(rule.name for rule in RULES).values()) == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rules_are_explained(rule: Rule) -> None:
    assert re.fullmatch(r"[EW][0-9]{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert 10 <= len(rule.summary) <= 110
    assert not rule.summary.endswith(".")
    assert re.search(r"^\s*wrong:", rule.explanation, re.MULTILINE | re.IGNORECASE), "shows no wrong example"
    assert re.search(r"^\s*right:", rule.explanation, re.MULTILINE | re.IGNORECASE), "shows no right example"
    first = re.split(r"^\s*wrong:", rule.explanation, maxsplit=1, flags=re.MULTILINE | re.IGNORECASE)[0]
    assert len(first.split()) >= 6, "says why in a sentence before the examples"
    assert all(len(line) <= 120 for line in rule.explanation.splitlines())
