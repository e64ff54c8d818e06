"""Draws have the distribution their name says; windows hold what they should."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from specc.diagnostics import SpecError
from specc.ir.expr import Option, Var
from specc.ir.graph import Graph
from specc.space import elimination as elimination_module
from specc.space import upper_bounds, window
from specc.space.aim import Effort
from specc.space.choices import Space
from specc.space.choices import draw as draw_independent
from specc.space.elimination import eliminate
from specc.subnets import conditions
from specc.subnets.space import ANY, canonical, draw, enumerate_space, range_of_costs, size, space_of
from tests.helpers.graphs import Builder, assignments, facts, graphs
from tests.helpers.nested import key, nested

SLOWLY = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def fits(drawn: Iterable[Mapping[str, object]], shares: Mapping[str, float]) -> bool:
    """Chi-square against expected shares; the seeds are fixed, so this never fails by chance on another day."""
    counts = Counter(map(key, drawn))
    assert set(counts) <= set(shares)
    total = sum(counts.values())
    observed = [counts[name] for name in shares]
    expected = [share * total for share in shares.values()]
    return len(shares) == 1 or stats.chisquare(observed, expected).pvalue > 1e-4


def equal_shares(names: Sequence[str]) -> dict[str, float]:
    return {name: 1 / len(names) for name in names}


@SLOWLY
@given(graphs(3))
def test_uniform_draws_are_uniform_over_sub_networks(graph: Graph) -> None:
    everything = [key(at) for at in enumerate_space(graph)]
    drawn = draw(graph, 10 * len(everything) + 200, seed=1)
    assert fits(drawn.assignments, equal_shares(everything))
    for at, macs, params in list(zip(drawn.assignments, drawn.macs, drawn.params, strict=True))[:20]:
        fact = facts(graph, {choice.name: choice.smallest for choice in graph.choices} | cast("dict[str, Option]", at))
        assert (fact.at, fact.macs, fact.params) == (at, macs, params)


@SLOWLY
@given(graphs(3))
def test_independent_draws_choose_each_active_choice_alone(graph: Graph) -> None:
    combinations = [key(canonical(graph, full)) for full in assignments(graph)]
    shares = {name: count / len(combinations) for name, count in Counter(combinations).items()}
    drawn = draw(graph, 10 * len(combinations) + 200, seed=2, distribution="independent")
    assert fits(drawn.assignments, shares)


@SLOWLY
@given(graphs(3), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_windows_hold_every_fitting_sub_network_equally_often(graph: Graph, a: float, b: float, both: bool) -> None:
    found = [facts(graph, at) for at in filled(graph)]
    macs = sorted(f.macs for f in found)
    params = sorted(f.params for f in found)
    low, high = sorted((a, b))
    limits = (macs[int(low * (len(macs) - 1))], macs[int(high * (len(macs) - 1))])
    others = (params[len(params) // 4], inf) if both else (-inf, inf)
    inside = [key(f.at) for f in found if limits[0] <= f.macs <= limits[1] and others[0] <= f.params <= others[1]]
    if not inside:
        with pytest.raises(SpecError, match="empty-window"):
            draw(graph, 1, 0, macs=limits, params=others)
        return
    drawn = draw(graph, 10 * len(inside) + 100, seed=3, macs=limits, params=others)
    assert drawn.exact
    assert fits(drawn.assignments, equal_shares(inside))


def filled(graph: Graph) -> list[dict[str, Option]]:
    smallest = {choice.name: choice.smallest for choice in graph.choices}
    return [smallest | at for at in enumerate_space(graph)]


@SLOWLY
@given(graphs(3), st.floats(0, 1), st.integers(1, 30), st.booleans())
def test_draws_are_as_uniform_where_hardly_anything_is_listed(graph: Graph, a: float, listed: int, both: bool) -> None:
    found = [facts(graph, at) for at in filled(graph)]
    macs, params = sorted(f.macs for f in found), sorted(f.params for f in found)
    limits = (macs[int(0.5 * a * (len(macs) - 1))], macs[int((0.5 + 0.5 * a) * (len(macs) - 1))])
    others = (params[len(params) // 4], inf) if both else (-inf, inf)
    inside = [key(f.at) for f in found if limits[0] <= f.macs <= limits[1] and others[0] <= f.params <= others[1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "EFFORTS", (Effort(listed, 200),))
        patch.setattr(window, "listing", lambda space: None)
        patch.setattr(upper_bounds, "FEWEST", 4)
        if not inside:
            with pytest.raises(SpecError, match="empty-window"):
                draw(graph, 1, 0, macs=limits, params=others)
            return
        drawn = draw(graph, 10 * len(inside) + 100, seed=4, macs=limits, params=others)
    assert len(drawn.assignments) == 10 * len(inside) + 100
    assert fits(drawn.assignments, equal_shares(inside))


def test_tries_in_vain_leave_draws_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "EFFORTS", (Effort(100, 3000),))
    monkeypatch.setattr(window, "listing", lambda space: None)
    monkeypatch.setattr(upper_bounds, "FEWEST", 8)
    b = Builder()
    before = b.choice("width", *range(5, 11))
    b.conv(before)
    for _ in range(2):
        after = b.choice("width", *range(5, 11))
        b.conv(after)
        with b.region(b.choice("skip", 0, 1)):
            b.conv(b.choice("width", 4, 9))
            b.conv(after)
    graph = b.graph()
    found = [facts(graph, at) for at in filled(graph)]
    macs = sorted(f.macs for f in found)
    limits = (macs[len(macs) // 2], macs[len(macs) // 2 + 40])
    inside = [key(f.at) for f in found if limits[0] <= f.macs <= limits[1]]
    drawn = draw(graph, 12 * len(inside), seed=0, macs=limits)
    assert drawn.exact
    assert drawn.tries > len(drawn.assignments) == 12 * len(inside)
    assert fits(drawn.assignments, equal_shares(inside))


def test_draws_depend_on_the_seed_alone() -> None:
    graph = nested().graph()
    for distribution in ("uniform", "independent"):
        first = draw(graph, 20, 7, distribution)
        assert first.assignments == draw(graph, 20, 7, distribution).assignments
        assert first.assignments != draw(graph, 20, 8, distribution).assignments
    # Written down once: the same on every machine and in every release.
    assert [len(at) for at in draw(graph, 12, 0).assignments] == [4, 4, 4, 4, 4, 3, 4, 4, 4, 3, 4, 1]


def test_an_impossible_window_names_what_is_near() -> None:
    graph = nested().graph()
    costs = sorted({facts(graph, at).macs for at in filled(graph)})
    for low, high in pairwise(costs):
        if high - low > 2:
            with pytest.raises(SpecError) as caught:
                draw(graph, 1, 0, macs=(low + 1, high - 1))
            message = caught.value.diagnostics[0].primary.message
            assert f"{low:,} and {high:,}" in message
    with pytest.raises(SpecError, match=f"{costs[-1]:,}"):
        draw(graph, 1, 0, macs=(costs[-1] + 1, inf))
    with pytest.raises(SpecError, match=f"{costs[0]:,}"):
        draw(graph, 1, 0, macs=(0, costs[0] - 1))


def test_windows_at_the_ends_hold_the_extremes() -> None:
    graph = nested().graph()
    costs = [facts(graph, at).macs for at in filled(graph)]
    assert set(draw(graph, 5, 0, macs=(max(costs), inf)).macs) == {max(costs)}
    assert set(draw(graph, 5, 0, macs=(-inf, min(costs))).macs) == {min(costs)}


def test_a_long_chain_is_sampled_in_a_window() -> None:
    """Two hundred choices and a resolution that everything reads: far too many to list, and the tails are thin."""
    b = Builder(Var("c0.resolution"))
    b.choice("resolution", 4, 6, 8)
    for _ in range(40):
        width = b.choice("width", 8, 16, 24)
        b.conv(width)
        for _ in range(2):
            with b.region(b.choice("skip", 0, 1)):
                b.conv(b.choice("width", 16, 32))
                b.conv(width)
    graph = b.graph()
    space = space_of(graph)
    assert size(graph) > 10**50
    widest_frontier = max(step.rows for step in eliminate(space, with_costs=True).steps)
    assert widest_frontier <= 3 * 3 * 3 * 2
    low, high = 300_000, 310_000  # about half of what the smallest two thirds of the range would be
    drawn = draw(graph, 20, 0, macs=(low, high))
    assert len(drawn.assignments) == 20
    assert all(low <= macs <= high for macs in drawn.macs)


def test_a_space_without_choices_has_one_sub_network() -> None:
    b = Builder()
    b.conv(8)
    graph = b.graph()
    assert size(graph) == 1
    assert enumerate_space(graph) == [{}]
    assert draw(graph, 2, 0).assignments == ({}, {})
    assert draw(graph, 2, 0, macs=(0, inf)).macs == (3 * 8 * 64, 3 * 8 * 64)


def test_entangled_choices_are_drawn_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = nested().graph()
    costs = [facts(graph, at).macs for at in filled(graph)]
    monkeypatch.setattr(elimination_module, "PAIR_LIMITS", (1,))
    monkeypatch.setattr(conditions, "FEW", 1)
    drawn = draw(graph, 5, 0, macs=(-inf, sorted(costs)[5]))
    assert (drawn.exact, len(drawn.assignments)) == (False, 5)
    assert "each was drawn independently, which is not uniform" in drawn.why
    with pytest.raises(SpecError, match="space-too-entangled"):
        draw(graph, 5, 0)
    with pytest.raises(SpecError, match="space-too-entangled"):
        size(graph)
    assert range_of_costs(graph).macs == (min(costs), max(costs))
    assert not range_of_costs(graph).exact


def test_empty_windows_of_entangled_choices_name_the_nearest_of_many_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = nested().graph()
    every = [facts(graph, at) for at in filled(graph)]
    macs, params = sorted({f.macs for f in every}), sorted({f.params for f in every})
    monkeypatch.setattr(elimination_module, "PAIR_LIMITS", (1,))
    monkeypatch.setattr(conditions, "FEW", 1)

    def said(macs: tuple[float, float], params: tuple[float, float] = ANY) -> str:
        with pytest.raises(SpecError) as caught:
            draw(graph, 1, 0, macs=macs, params=params)
        begin, _, end = caught.value.diagnostics[0].primary.message.partition(": ")
        assert re.fullmatch(r"none of \d\d,\d{3} random sub-networks is within the budget", begin)
        return end

    assert said(macs=(macs[-1] + 1, inf)) == f"the nearest found MACs are {macs[-1]:,}"
    assert said(macs=(-inf, macs[0] - 1)) == f"the nearest found MACs are {macs[0]:,}"
    low, high = max(pairwise(macs), key=lambda pair: pair[1] - pair[0])
    assert said(macs=(low + 1, high - 1)) == f"the nearest found MACs are {low:,} and {high:,}"
    least = min(f.macs for f in every if f.params == params[-1])
    most = max(f.params for f in every if f.macs == macs[0])
    assert said(macs=(-inf, macs[0]), params=(params[-1], inf)) == (
        f"with the other constraints satisfied, the nearest found MACs are {least:,}; "
        f"the nearest found parameters are {most:,}"
    )


def test_portable_draws_need_no_costs() -> None:
    space = Space({"a": (1, 2), "b": ("x", "y")}, {"b": ({"a": (2,)},)})
    expected: list[dict[str, Any]] = [{"a": 1}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]
    drawn = [draw_independent(space, random.Random(seed)) for seed in range(20)]
    assert {key(at) for at in drawn} == {key(at) for at in expected}
