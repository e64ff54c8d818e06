"""Draws within windows of spaces whose choices read one another, against brute force, by every way there is to draw."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import product
from math import inf

import numpy as np
import pytest
from scipy import stats

from specc import api
from specc.diagnostics import SpecError, SpecWarning
from specc.pipeline import load
from specc.source import Source
from specc.space import conditioned, upper_bounds, window
from specc.space import tilting as catch
from specc.space.aim import Effort
from specc.space.choices import Space, positions
from specc.space.conditioned import listing, members, parts_of, ranges_of, tries_in_parts
from specc.space.constraints import ladder
from specc.space.line import ANY, Interval, Window
from specc.space.states import TooEntangled
from specc.space.window import EmptyWindow, NothingFound, draw_in_window
from specc.subnets import space as spaces
from specc.subnets.space import draw, space_of
from tests.helpers.joined import JOINED, UNET, space_in
from tests.helpers.spaces import Ints, everything, random_space


def refused(*args: object, **settings: object) -> None:
    raise TooEntangled


def none(space: Space) -> None:
    return None


def by_aim(patch: pytest.MonkeyPatch) -> None:
    """Hardly anything is listed, breakpoints are few."""
    patch.setattr(window, "EFFORTS", (Effort(10, 100),))
    patch.setattr(upper_bounds, "FEWEST", 4)
    patch.setattr(window, "listing", none)


def by_list(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(window, "eliminate", refused)


def by_trying(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(window, "eliminate", refused)
    patch.setattr(window, "listing", none)
    patch.setattr(window, "MANY_TRIES", 6000)
    patch.setattr(window, "SOME_TRIES", 500)


def by_parts(patch: pytest.MonkeyPatch) -> None:
    """No try at the whole space is made, and in the parts hardly anything is listed."""
    by_trying(patch)
    patch.setattr(window, "everywhere", lambda space: lambda rng, number: np.zeros((0, len(space.choices)), np.int64))
    patch.setattr(window, "SOME_TRIES", 1)
    patch.setattr(window, "MANY_TRIES", 1)
    patch.setattr(conditioned, "EFFORT", Effort(10, 100))
    patch.setattr(conditioned, "TRIES", 20)
    patch.setattr(upper_bounds, "FEWEST", 4)


WAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "as usual": lambda patch: None,
    "by aim": by_aim,
    "by list": by_list,
    "by trying": by_trying,
    "by parts": by_parts,
}


def window_in(costs: Ints, seed: int) -> tuple[Interval, Interval]:
    """Limits on MACs, in some windows on parameters too, about the costs of a few sub-networks."""
    rng = random.Random(seed)
    ends = sorted(rng.choice(costs[:, 0].tolist()) for _ in range(2))
    if seed % 3:
        return (ends[0], ends[1]), ANY
    return (ends[0], ends[1]), (-inf, rng.choice(costs[:, 1].tolist()))


def inside(costs: Ints, limits: Window) -> Ints:
    return np.flatnonzero(np.all([(c >= low) & (c <= high) for c, (low, high) in zip(costs.T, limits, strict=True)], 0))


@pytest.mark.parametrize("way", WAYS)
def test_draws_are_uniform_over_what_brute_force_finds(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The p-values of many spaces are themselves uniform: none is tiny, and few are small."""
    WAYS[way](monkeypatch)
    found = []
    for seed in range(60):
        space = random_space(seed)
        if way == "by parts" and parts_of(space) is None:
            continue
        rows, costs = everything(space)
        limits = window_in(costs, seed)
        if way == "by parts":
            limits = (limits[0], ANY)
        members = [tuple(row) for row in rows[inside(costs, limits)].tolist()]
        if not 2 <= len(members) <= 200:
            continue
        drawn = draw_in_window(space, 30 * len(members), random.Random(seed), *limits)
        counts = Counter(map(tuple, positions(space, drawn.assignments).tolist()))
        assert drawn.exact
        assert set(counts) <= set(members)
        if way == "by parts" and sum(counts.values()) < 5 * len(members):
            continue
        found.append(float(stats.chisquare([counts[name] for name in members]).pvalue))
    assert len(found) > 15
    assert min(found) > 1e-4
    assert stats.kstest(found, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_windows_are_called_empty_where_they_are_and_nowhere_else(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    WAYS[way](monkeypatch)
    for seed in range(25):
        space = random_space(seed)
        if way == "by parts" and parts_of(space) is None:
            continue
        costs = everything(space)[1]
        low, high = int(costs[:, 0].min()), int(costs[:, 0].max())
        middle = (low + high) // 2
        for limits in ((low, low), (high, high), (-inf, low - 1), (high + 1, inf), (middle, middle)):
            there = len(inside(costs, (limits, ANY)))
            try:
                drawn = draw_in_window(space, 5, random.Random(seed), limits)
            except EmptyWindow:
                assert not there
            except NothingFound:
                assert not there
                assert way != "by list"
            else:
                assert there
                assert all(limits[0] <= cost <= limits[1] for cost in drawn.macs)


def test_a_part_of_a_space_is_the_space_with_one_option() -> None:
    for seed in range(60):
        space = random_space(seed)
        parts = parts_of(space)
        if parts is not None:
            rows = np.concatenate([everything(part.space)[0] + part.at for part in parts])
            assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, everything(space)[0].tolist()))


def test_a_global_choice_is_mixed_by_how_many_sub_networks_each_option_has() -> None:
    """A U-Net taken apart by its resolution, beside one elimination of all: both draw resolutions by exact counts."""
    space = space_in(UNET)
    (low, high), _ = ranges_of(space)
    limits = (low + 0.2 * (high - low), low + 0.3 * (high - low))
    whole = draw_in_window(space, 2000, random.Random(0), limits)
    parts = parts_of(space)
    assert parts is not None
    assert len(parts) == 5
    found = tries_in_parts(parts, (limits, ANY), 2000, random.Random(1))
    assert found is not None
    place = list(space.choices).index("resolution")
    assert space.costs is not None
    costs = space.costs(found[0])[0]
    kept = found[0][(costs >= limits[0]) & (costs <= limits[1])]
    assert len(kept) > 1500
    one = np.bincount(positions(space, whole.assignments)[:, place], minlength=5)
    other = np.bincount(kept[:, place], minlength=5)
    assert stats.chi2_contingency(np.stack([one, other])[:, (one + other) > 0]).pvalue > 1e-3
    assert (one + other > 0).sum() > 2


@pytest.mark.parametrize("kind", [0, 1], ids=["MACs", "parameters"])
def test_both_ends_of_the_range_are_reached(kind: int) -> None:
    space = space_in(UNET)
    low, high = ranges_of(space)[kind]
    for limits in ((low, low), (high, high), (low, low + 1e6), (high - 1e6, high)):
        drawn = draw_in_window(space, 5, random.Random(0), *[ANY] * kind, limits)
        assert drawn.exact
        assert len(drawn.assignments) == 5
    with pytest.raises(EmptyWindow):
        draw_in_window(space, 5, random.Random(0), *[ANY] * kind, (-inf, low - 1))


def test_a_budget_near_the_least_cost_of_a_u_net_is_met_uniformly() -> None:
    """The least is 664,403,968 MACs."""
    space = space_in(UNET)
    drawn = draw_in_window(space, 3000, random.Random(0), (-inf, 900e6))
    assert drawn.exact
    assert max(drawn.macs) <= 900e6
    rows = positions(space, drawn.assignments)
    assert len(set(map(tuple, rows.tolist()))) > 2900
    # Brute force over those next to the smallest: every sub-network that has at most three choices one option higher.
    low = ranges_of(space)[0][0]
    near = np.array([at for at in product((0, 1), repeat=15) if sum(at) <= 3])
    assert space.costs is not None
    costs = space.costs(near)[0]
    top = float(np.sort(costs)[12])
    first = draw_in_window(space, 4000, random.Random(1), (low, top))
    told = Counter(map(tuple, positions(space, first.assignments).tolist()))
    members = [tuple(row) for row in near[costs <= top].tolist()]
    assert set(members) <= set(told)
    assert stats.chisquare(list(told.values())).pvalue > 1e-4


def test_a_list_of_a_million_sub_networks_is_short() -> None:
    """810,645 sub-networks: the list holds the numbers of those in the window and two small tables, no more."""
    space = space_in(JOINED)
    found = listing(space)
    assert found is not None
    assert found.size == 810_645
    assert found.first.nbytes + found.second.nbytes < 100_000
    numbers = members(found, ((100e6, 300e6), ANY))
    assert numbers.itemsize == 4
    drawn = draw_in_window(space, 300, random.Random(0), (100e6, 300e6))
    assert (drawn.exact, drawn.tries) == (True, 300)
    assert all(100e6 <= cost <= 300e6 for cost in drawn.macs)


def test_no_table_of_bounds_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for draws: cells of 16 bytes each."""
    kept: list[int] = []
    made = upper_bounds.upper_bounds

    def counted(*args: object) -> list[upper_bounds.UpperBound]:
        tables = made(*args)  # type: ignore[arg-type]
        kept.append(sum(table.values.size for table in tables))
        return tables

    monkeypatch.setattr("specc.space.aim.upper_bounds", counted)
    monkeypatch.setattr(window, "listing", none)
    for text in (JOINED, UNET):
        space = space_in(text)
        low, high = ranges_of(space)[0]
        for begin in (0.0, 0.2, 0.5, 0.95):
            for width in (0.05, 0.005):
                limits = (low + begin * (high - low), low + (begin + width) * (high - low))
                assert len(draw_in_window(space, 100, random.Random(0), limits).assignments) == 100
    assert kept
    assert max(kept) <= 2.5 * upper_bounds.KEPT


def test_every_constraint_that_some_sub_network_keeps_is_there() -> None:
    """Of random spaces by brute force; the sizes are exact."""
    for seed in range(40):
        space = random_space(seed)
        costs = everything(space)[1][:, 0]
        step = max(1, int(costs.max() - costs.min()) // 7)
        found = ladder("macs", space, step, 5)
        sizes = [int(((costs >= c.low) & (costs <= c.high)).sum()) for c in found.constraints]
        assert sizes == [kept.size for kept in found.kept]
        assert sum(sizes) == len(costs)
        assert not found.in_doubt


ENTANGLED = """
supernet entangled {
  input image(1, 8, 8); classes 10
  width per_group 0.5..1.0 round 4
  stem { conv(16, kernel=3); relu; conv(16, kernel=3); relu; conv(16, kernel=3); relu }
  head { pool(avg); linear(classes) }
}
"""


def test_what_is_not_uniform_is_warned_of_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    net = api.Network(load(Source("net.specc", ENTANGLED)))
    low, high = ranges_of(space_of(net.graph))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(net.sample(5, macs=(low, high))) == 5
    monkeypatch.setattr(window, "eliminate", refused)
    monkeypatch.setattr(window, "listing", none)
    monkeypatch.setattr(window, "everywhere", refused)
    with pytest.warns(SpecWarning, match="the draws are approximate: the choices are too interdependent"):
        net.sample(5, macs=(low, high))
    monkeypatch.setattr(catch, "LEAST_TRIES", 1)
    monkeypatch.setattr(catch, "TRIES", 1)
    with pytest.warns(SpecWarning) as told:
        net.sample(5, macs=(low, low + (high - low) // 2))
    assert any("of 5 sub-networks were found in" in str(one.message) for one in told)


def test_what_was_only_not_found_is_not_called_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load(Source("net.specc", ENTANGLED)).graph
    low, high = ranges_of(space_of(graph))[0]
    monkeypatch.setattr(window, "eliminate", refused)
    monkeypatch.setattr(window, "listing", none)
    monkeypatch.setattr(window, "parts_of", none)
    monkeypatch.setattr(window, "everywhere", lambda space: lambda rng, number: np.zeros((0, 3), np.int64))
    with pytest.raises(SpecError, match="nothing-found"):
        draw(graph, 5, 0, macs=(low + 1, high - 1))
    found = draw(graph, 5, 0, macs=(low, high - 1))
    assert not found.exact
    assert "only its smallest or largest" in found.why
    assert set(found.macs) == {low}
    assert spaces.doubts(graph, found, 5)[0].rule.name == "approximate-draws"
