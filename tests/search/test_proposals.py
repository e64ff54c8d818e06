"""The strategies: whole fronts, no repetition, limits, windows, and the same proposals again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import chisquare

from specc.runtime.run.journal import key
from specc.runtime.search.constraints import windows_of
from specc.runtime.search.front import Point, dominates
from specc.runtime.search.proposals import Proposals, covered, sub_networks
from specc.space.latency_table import Block, LatencyTable, predicted
from tests.helpers.tiny import TinySpace
from tests.helpers.toy import EVOLUTION, Toy, blocks, by, evaluator_of, good, leading, leading_ones, searched

STRATEGIES = ("evolution", "random", "pools", "exhaustive")


def strategy(name: str, evaluations: int = 100) -> dict[str, Any]:
    return {**EVOLUTION, "name": name, "evaluations": evaluations}


def known_front(space: Toy) -> set[tuple[int, float]]:
    """By brute force over the whole space."""
    points = [Point(at, space.macs(at), 0, good(at)) for at in space.every()]
    return {(p.macs, p.value) for p in points if not any(dominates(q, p, ["macs"]) for q in points)}


@pytest.mark.parametrize(("name", "evaluations"), [("exhaustive", 1), ("evolution", 110)])
def test_a_known_front_is_found_whole(tmp_path: Path, name: str, evaluations: int) -> None:
    """120 sub-networks; evolution may look at 110 of them and must not enumerate."""
    space = blocks()
    assert space.SIZE == 120
    wanted = known_front(space)
    assert len(wanted) > 12
    evaluated, front = searched(
        space, evaluator_of(space, by(good), tmp_path / "j"), strategy(name, evaluations), seed=3
    )
    assert {(p.macs, p.value) for p in front} == wanted
    assert len(evaluated) == (space.SIZE if name == "exhaustive" else evaluations)


def test_evolution_finds_a_front_that_chance_does_not(tmp_path: Path) -> None:
    """LOTZ with 12 bits: 13 points among 4096, found whole from a third of them."""
    space = leading(12)
    space.SIZE = 4096
    fronts = {}
    for name in ("evolution", "random"):
        settings = {**strategy(name, 1400), "population": 24, "mutation": 0.09}
        _, fronts[name] = searched(space, evaluator_of(space, by(leading_ones), tmp_path / name), settings)
    wanted = {(ones + 1, ones / 12) for ones in range(13)}
    assert {(p.macs, p.value) for p in fronts["evolution"]} == wanted
    assert {(p.macs, p.value) for p in fronts["random"]} != wanted
    largest = Point(space.largest(), 13, 0)
    ours, theirs = (covered(fronts[name], largest, ["macs"]) for name in ("evolution", "random"))
    assert ours is not None
    assert theirs is not None
    # the box is 13 wide; n ones reach from their own cost, n + 1, on: sum of (13 - n - 1) / 12 / 13
    assert ours == pytest.approx(sum(12 - n for n in range(1, 13)) / 12 / 13)
    assert theirs < ours
    assert covered(fronts["random"], largest, ["latency"]) is None


def test_small_spaces_are_listed_and_large_ones_never_repeated() -> None:
    space = TinySpace()
    everything = sorted(map(key, space.every()))
    assert sub_networks(space, 5) is None
    for name in STRATEGIES:
        generations = [*Proposals(space, strategy(name), random.Random(0))]
        assert sorted(key(at) for generation in generations for at in generation) == everything
    for name in ("random", "evolution", "pools"):
        proposals = Proposals(space, strategy(name, 4), random.Random(0))
        drawn = []
        for generation in proposals:
            drawn += generation
            proposals.learn([Point(at, space.macs(at), 1) for at in generation])
        assert len(proposals) == len({key(at) for at in drawn}) == len(drawn) == 4
        if name != "pools":
            assert space.largest() in drawn
            assert space.smallest() in drawn


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("budget", [{"most": 150}, {"least": 150}, {"most": 220, "least": 120}])
def test_limits_are_kept_and_what_lies_within_is_found(tmp_path: Path, name: str, budget: Mapping[str, int]) -> None:
    space = blocks()
    evaluator = evaluator_of(space, by(good), tmp_path / "j", [{"name": "macs", **budget}])
    inside = [at for at in space.every() if evaluator.allowed(at)]
    evaluated, _ = searched(space, evaluator, strategy(name, 40))
    assert all(budget.get("least", 0) <= p.macs <= budget.get("most", 10**9) for p in evaluated)
    assert len(evaluated) == (len(inside) if name == "exhaustive" else min(40, len(inside)))


def test_nothing_within_the_limits_ends_the_search(tmp_path: Path) -> None:
    space = blocks()
    for name in STRATEGIES:
        evaluator = evaluator_of(space, by(good), tmp_path / "j", [{"name": "macs", "most": 3}])
        assert searched(space, evaluator, strategy(name, 5)) == ([], [])


def test_limits_that_draws_do_not_know_are_kept_by_trying(tmp_path: Path) -> None:
    """Measured latencies, and memory."""
    space = blocks()
    evaluator = evaluator_of(space, by(good), tmp_path / "j", [{"name": "latency", "most": 0.0005}], timed=True)
    evaluated, front = searched(space, evaluator, strategy("evolution", 60), costs=("latency", "macs"))
    assert 0 < len(evaluated) < 60
    assert all(p.cost("latency") <= 0.0005 for p in evaluated)
    assert front
    evaluator = evaluator_of(space, by(good), tmp_path / "k", [{"name": "memory", "most": 3}])
    assert searched(space, evaluator, strategy("random", 5)) == ([], [])


def test_pools_cover_all_windows_alike(tmp_path: Path) -> None:
    space = blocks()
    windows = windows_of(space.SPACE, ["macs"], ((-1e9, 1e9), (-1e9, 1e9)), 4)
    evaluated, _ = searched(space, evaluator_of(space, by(good), tmp_path / "j"), strategy("pools", 40))
    found = Counter(next(i for i, (macs, _) in enumerate(windows) if macs[0] <= p.macs <= macs[1]) for p in evaluated)
    assert found == {0: 10, 1: 10, 2: 10, 3: 10}
    # by parameters: there are 21 and 28 of them, so two windows of four have any
    few, _ = searched(space, evaluator_of(space, by(good), tmp_path / "k"), strategy("pools", 20), costs=["params"])
    assert Counter(p.params for p in few) == {21: 10, 28: 10}


def test_pools_draw_uniformly_within_a_window(tmp_path: Path) -> None:
    """The first sub-network of a window, over many seeds."""
    space = blocks()
    low, high = windows_of(space.SPACE, ["macs"], ((-1e9, 1e9), (-1e9, 1e9)), 4)[3][0]
    inside = [key(at) for at in space.every() if low <= space.macs(at) <= high]
    drawn: Counter[str] = Counter()
    for seed in range(400):
        proposals = Proposals(space, strategy("pools", 8), random.Random(seed))
        drawn[key(next(iter(proposals))[3])] += 1
    assert set(drawn) <= set(inside)
    assert chisquare([drawn[name] for name in inside]).pvalue > 1e-3


def made_table(space: Toy) -> LatencyTable:
    """Every choice a block of its own, slower by the option."""
    options = {name: tuple(values) for name, values in space.SPACE.choices.items()}
    rng = random.Random(0)
    made = [Block(n, (n,), tuple(sorted(rng.randrange(10**5, 10**6) for _ in v))) for n, v in options.items()]
    return LatencyTable("toy", "cpu", "", 1, 1, "", {}, options, tuple(made))


def test_pools_along_latencies_that_a_table_tells() -> None:
    space = blocks()
    table = made_table(space)
    proposals = Proposals(space, strategy("pools", 40), random.Random(0), ["latency"], table=table)
    took = predicted(space.SPACE, table, list(space.every()))
    low, high = min(took), max(took)
    for generation in islice(proposals, 2):
        places = [4 * (time - low) / (high - low) for time in predicted(space.SPACE, table, generation)]
        assert [min(3, int(place)) for place in places] == [0, 1, 2, 3]


def test_latencies_that_a_table_tells_are_kept_by_drawing_within_them() -> None:
    """The tenth of the space that is fastest by a made table, drawn uniformly and without a miss."""
    space = blocks()
    table = made_table(space)
    everything = list(space.every())
    took = predicted(space.SPACE, table, everything)
    most = sorted(took)[len(took) // 10]
    inside = [key(at) for at, time in zip(everything, took, strict=True) if time <= most]
    constraints = [{"name": "latency", "most": most}]
    proposals = Proposals(space, strategy("random", 5), random.Random(1), budgets=constraints, table=table)
    drawn = Counter(key(at) for at in islice(proposals.drawn(50), 600))
    assert set(drawn) <= set(inside)
    assert chisquare([drawn[name] for name in inside]).pvalue > 1e-3


def test_children_are_canonical_and_take_after_their_parents() -> None:
    """Without mutation every option of a child is one of a parent's; choices that do not matter are not named."""
    space = blocks()
    proposals = Proposals(space, {**strategy("evolution", 60), "mutation": 1e-9}, random.Random(0))
    parents = [{"a": 3, "b": 0, "kernel": 5, "width": 0.4}, {"a": 0, "b": 2, "width": 0.8}]
    proposals.learn([Point(at, space.macs(at), 0, good(at)) for at in parents])
    children = proposals.children()
    seen = {key(next(children)) for _ in range(300)}
    wanted = {key({"a": 3, "b": b, "kernel": 5, "width": w}) for b in (0, 2) for w in (0.4, 0.8)}
    wanted |= {key({"a": 0, "b": b, "width": w}) for b in (0, 2) for w in (0.4, 0.8)}
    assert seen == wanted


def test_too_large_a_space_is_not_tried_out() -> None:
    with pytest.raises(SystemExit, match="more than a million"):
        Proposals(leading(24), strategy("exhaustive"), random.Random(0))
