"""What a spec says in `search { }`, as search.py reads it, and the flags over it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from specc.pipeline import compile_project, load
from specc.runtime.search.options import search_options
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


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--evaluations 0", "argument --evaluations: 0 is less than 1"),
        ("--evaluations many", "argument --evaluations: 'many' is no whole number"),
        ("--calibrate -1", "argument --calibrate: -1 is less than 0"),
        ("--workers -1", "--workers: -1 is less than 0"),
        ("--max-macs nan", "argument --max-macs: 'nan' is no number"),
        ("--min-latency -2", "argument --min-latency: -2 is no cost"),
        ("--min-macs 5e5 --max-macs 1e5", "invalid macs budget: lower bound 500,000 exceeds upper bound 100,000"),
        ("--max-params many", "argument --max-params: 'many' is no number"),
        ("--min-latency 2 --max-latency 1", "invalid latency budget: lower bound 2 ms exceeds upper bound 1 ms"),
        ("--objectives speed", "argument --objectives: invalid choice: 'speed'"),
    ],
)
def test_flags_that_no_search_can_follow(capsys: pytest.CaptureFixture[str], flags: str, message: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        search_options(settings(""), flags.split())
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"objectives": "accuracy"}, "objectives = 'accuracy': a list is expected, of accuracy, macs"),
        ({"objectives": ["speed"]}, "objectives = ['speed']: a list is expected"),
        ({"calibrate": 2.5}, "calibrate = 2.5: a whole number from 0 on is expected"),
        ({"seed": True}, "seed = True: a whole number from 0 on"),
        ({"strategy": "evolution"}, "strategy: a table is expected, with a name: exhaustive, evolution"),
        ({"strategy": {"evaluations": 5}}, "strategy: a table is expected, with a name"),
        ({"strategy": {"name": "pareto"}}, "strategy: a table is expected, with a name"),
        ({"strategy": {"name": "pools", "windows": 0}}, "strategy.windows = 0: a whole number from 1 on"),
        ({"strategy": {"name": "evolution", "population": "4"}}, "strategy.population = '4': a whole number"),
        ({"strategy": {"name": "evolution", "mutation": 1}}, "strategy.mutation = 1: a share from 0 to below 1"),
        ({"strategy": {"name": "evolution", "mutatoin": 0}}, "strategy has no setting 'mutatoin'"),
        ({"budgets": 5}, "budgets = 5: a list of tables is expected"),
        ({"budgets": [{"most": 5}]}, "budgets: {'most': 5} has no name: macs, params"),
        ({"budgets": [{"name": "flops"}]}, "has no name: macs, params, latency, memory"),
        ({"budgets": [{"name": "macs", "mots": 5}]}, "macs has no setting 'mots'"),
        ({"budgets": [{"name": "macs", "most": "5"}]}, "macs has most = '5': a number from 0 on"),
        (
            {"budgets": [{"name": "macs", "most": 5, "least": 6}]},
            "invalid macs budget: lower bound 6 exceeds upper bound 5",
        ),
    ],
)
def test_settings_that_no_search_can_follow(wrong: dict[str, Any], message: str) -> None:
    found = settings("")
    with pytest.raises(SystemExit, match=re.escape(message)) as stopped:
        search_options({**found, "search": {**found["search"], **wrong}}, [])
    assert str(stopped.value).startswith("settings.toml: [search] ")
