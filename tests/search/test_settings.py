"""What a spec says in `search { }`, as search.py reads it, and the flags over it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from specc.codegen.runtime.options import search_options
from specc.pipeline import compile_project, load
from specc.source import Source

SPEC = """
supernet small {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm; relu; pool(avg) }
  head { linear(classes) }
}
method us_net(subnets=3)
data digits
search { SETTINGS }
"""


def settings(text: str) -> dict[str, Any]:
    files = compile_project(load(Source("small.specc", SPEC.replace("SETTINGS", text))))
    return tomllib.loads(files["settings.toml"])


def test_a_spec_sets_objectives_strategy_and_both_ends_of_budgets() -> None:
    text = "objectives=[accuracy, memory, latency]; strategy=pools(evaluations=64, windows=8)\n"
    found = search_options(settings(text + "budgets=[macs(20k, least=5k), memory(1M), latency(2ms)]"), [])
    assert found.objectives == ["accuracy", "memory", "latency"]
    assert found.strategy["name"] == "pools"
    assert (found.strategy["evaluations"], found.strategy["windows"]) == (64, 8)
    assert found.budgets == [
        {"name": "macs", "most": 20_000, "least": 5_000},
        {"name": "memory", "most": 1_000_000, "least": 0},
        {"name": "latency", "most": 0.002, "least": 0},
    ]


def test_flags_replace_the_limits_of_their_cost_alone() -> None:
    found = settings("budgets=[macs(20k, least=5k), params(1M)]")
    options = search_options(found, "--min-macs 1e4 --max-memory 5e5 --min-latency 2".split())
    assert options.budgets == [
        {"name": "params", "most": 1_000_000, "least": 0},
        {"name": "macs", "least": 10_000},
        {"name": "latency", "least": 0.002},
        {"name": "memory", "most": 500_000},
    ]


@pytest.mark.parametrize("name", ["exhaustive", "evolution", "random", "pools"])
def test_every_strategy_can_be_asked_for_by_a_flag(name: str) -> None:
    """Whatever the spec says, what the strategy needs has a value."""
    for text in ("strategy=exhaustive", "strategy=pools(windows=3)", "", "strategy=random"):
        strategy = search_options(settings(text), ["--strategy", name, "--evaluations", "9"]).strategy
        assert strategy["name"] == name
        assert strategy["evaluations"] == 9
        assert {"population", "mutation", "windows"} <= set(strategy)
