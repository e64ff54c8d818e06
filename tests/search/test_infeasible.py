"""Limits that nothing keeps: the nearest costs that can be had are named."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from specc.runtime.search.constraints import why_none
from specc.space.latency_table import Block, LatencyTable, predicted
from tests.helpers.toy import EVOLUTION, better, by, evaluator_of, searched, slow, stages


def numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def refused(folder: Path, budgets: Sequence[dict[str, Any]]) -> str:
    """What a search says that finds nothing."""
    space = stages()
    timed = any(budget["name"] == "latency" for budget in budgets)
    evaluator = evaluator_of(space, by(better, slow), folder / "search.jsonl", budgets, timed=timed)
    evaluated, front = searched(space, evaluator, {**EVOLUTION, "evaluations": 300})
    assert evaluated == front == []
    return why_none(space, budgets, evaluator.looked_at())


@pytest.mark.parametrize("name", ["macs", "params"])
def test_the_nearest_costs_of_the_whole_space_are_named(tmp_path: Path, name: str) -> None:
    space = stages()
    costs = sorted({getattr(space, name)(at) for at in space.every()})
    low, high = max(pairwise(costs), key=lambda pair: pair[1] - pair[0])
    assert high > low + 1
    between = refused(tmp_path, [{"name": name, "least": low + 1, "most": high - 1}])
    assert numbers(between) == [low, high]
    assert ("MACs" if name == "macs" else "parameters") in between
    assert numbers(refused(tmp_path, [{"name": name, "most": costs[0] - 1}])) == [costs[0]]
    assert numbers(refused(tmp_path, [{"name": name, "least": costs[-1] + 1}])) == [costs[-1]]


def test_the_nearest_that_was_looked_at_is_named_where_only_trying_tells(tmp_path: Path) -> None:
    space = stages()
    assert space.memory(space.smallest()) == 14
    words = refused(tmp_path, [{"name": "memory", "most": 13}])
    assert re.search(r"of [\d,]+ looked at the nearest bytes of memory are 14$", words)
    words = refused(tmp_path, [{"name": "latency", "most": 1e-6}])
    assert words.endswith("of 300 looked at the nearest latency is 1.2 ms")
    assert 1e3 * slow(space.smallest()) == pytest.approx(1.2)


def test_the_nearest_latencies_that_a_table_tells_are_those_of_the_whole_space() -> None:
    space = stages()
    options = {name: tuple(values) for name, values in space.SPACE.choices.items()}
    rng = random.Random(0)
    made = [Block(n, (n,), tuple(rng.randrange(10**5, 10**6) for _ in values)) for n, values in options.items()]
    table = LatencyTable("toy", "cpu", "", 1, 1, "", {}, options, tuple(made))
    took = sorted({*predicted(space.SPACE, table, [*space.every()])})
    below, above = max(pairwise(took), key=lambda pair: pair[1] - pair[0])
    budgets = [{"name": "latency", "least": below + 1e-9, "most": above - 1e-9}]
    ends = [f"{1e3 * time:.6f}".rstrip("0") for time in (below, above)]
    assert why_none(space, budgets, [], table) == (
        f"no sub-network is within the budget: the nearest latencies are {ends[0]} ms and {ends[1]} ms"
    )


def test_limits_that_exclude_each_other(tmp_path: Path) -> None:
    space = stages()
    most = space.macs(space.largest())
    words = refused(tmp_path, [{"name": "macs", "least": most}, {"name": "params", "most": 60}])
    assert "each constraint alone can be satisfied" in words
