"""Elastic depth of hundreds of blocks: the work grows with their number, not with its square. Counted, not timed."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest

from specc.cost.source import compile_cost
from specc.cost.variables import evenly_spaced
from specc.pipeline import load
from specc.source import Source
from specc.subnets.conditions import conditions, count_of
from specc.subnets.space import draw, range_of_costs

SPEC = """
supernet deep {{
  input image(1, 8, 8); classes 10
  stem {{ conv(8, kernel=1); relu }}
  stage s1 {{ repeat 1..{most} {{ residual {{ conv(8, kernel={kernel}); relu }} }} }}
  head {{ pool(avg); linear(classes) }}
}}
"""


def spec(most: int, kernel: str = "1") -> Source:
    return Source("deep.specc", SPEC.format(most=most, kernel=kernel))


def counted(patch: pytest.MonkeyPatch, counts: Counter[str], where: str) -> None:
    """Counts the calls of a function."""
    path, _, name = where.rpartition(".")
    module = sys.modules[path]  # a package's function may have the name of its module
    right: Any = getattr(module, name)

    def one_more(*args: Any, **settings: Any) -> Any:
        counts[where] += 1
        return right(*args, **settings)

    patch.setattr(module, name, one_more)


@pytest.mark.parametrize("most", [100, 400])
def test_a_condition_is_not_tried_at_every_option_for_every_round(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    counted(monkeypatch, counts, "specc.lower.builder.evaluate")
    counted(monkeypatch, counts, "specc.passes.tighten_guards.evaluate")
    counted(monkeypatch, counts, "specc.cost.variables.evenly_spaced")
    graph = load(spec(most, "{1, 3}")).graph
    compile_cost(graph)
    assert counts["specc.lower.builder.evaluate"] < 40 * most
    assert counts["specc.passes.tighten_guards.evaluate"] < 20 * most
    assert counts["specc.cost.variables.evenly_spaced"] == len(graph.choices) == most + 1


def test_long_repeats_are_counted_and_drawn_from() -> None:
    """Two kernels in each block that is there: 2 + 4 + ... + 2^120 sub-networks. Every block has 64 and 576 weights."""
    graph = load(spec(120, "{1, 3}")).graph
    assert count_of(conditions(graph)) == 2**121 - 2
    ranges = range_of_costs(graph)
    assert ranges.macs[1] - ranges.macs[0] == 64 * (119 * 576 + 512)
    for at in draw(graph, 20, 0).assignments:
        assert len(at) == 1 + int(at["s1.depth"])
    low, high = ranges.macs
    for limits in ((low, low), (high, high), (low, low + 64 * 5000), (low + (high - low) // 2, high)):
        found = draw(graph, 10, 0, macs=limits)
        assert found.exact
        assert all(limits[0] <= cost <= limits[1] for cost in found.macs)


def test_options_are_evenly_spaced_or_not() -> None:
    assert evenly_spaced((3, 5, 7))
    assert evenly_spaced((4,))
    assert not evenly_spaced((3, 5, 8))
    assert not evenly_spaced(("a", "b"))
