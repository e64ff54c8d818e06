"""PSS-Net's constraints against brute force: who belongs where, how many, and that draws are uniform within each."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from specc.pipeline import load
from specc.space import constraints, upper_bounds
from specc.space import elimination as elimination_module
from specc.space.aim import Effort, picks, shares
from specc.space.budgets import NoBudget, budgets_of
from specc.space.choices import Space, every, positions
from specc.space.constraints import Ladder, ladder
from specc.space.latency_table import file_name, latency_space, predicted, read_table
from specc.space.marginals import by_marginals
from specc.subnets.space import space_of
from tests.helpers.folders import SPECS

WIDTHS = (3, 5, 8, 13)
CHOICES: dict[str, tuple[Any, ...]] = {"size": (4, 6, 8), "a": WIDTHS, "keep": (False, True), "b": WIDTHS}


def space_by_hand() -> Space:
    """Two layers, the second skippable: MACs size^2 (3 a + [keep] a b), parameters 3 a + [keep] a b."""

    def costs(rows: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        size, a, b = (np.array(CHOICES[name])[rows[:, at]] for name, at in (("size", 0), ("a", 1), ("b", 3)))
        weights = 3 * a + rows[:, 2] * a * b
        return size**2 * weights, weights

    return Space(CHOICES, {"b": ({"keep": (True,)},)}, (("size", "a", "keep", "b"),), costs)


def key(at: Mapping[str, Any]) -> str:
    return json.dumps(dict(at))


def by_constraint(space: Space, step: int) -> dict[int, list[str]]:
    """Brute force: every sub-network with the nearest of the constraints `step` apart, the higher of two as near."""
    everything = list(every(space))
    assert space.costs is not None
    costs = space.costs(positions(space, everything))[0].tolist()
    targets = [min(costs) + t * step for t in range((max(costs) - min(costs)) // step + 2)]
    found: dict[int, list[str]] = {}
    for at, cost in zip(everything, costs, strict=True):
        target = min(targets, key=lambda target: (abs(target - cost), -target))
        found.setdefault(target, []).append(key(at))
    return found


def assert_fair(found: Ladder, expected: Mapping[int, list[str]]) -> None:
    """Every sub-network of a constraint is drawn equally often, and no other."""
    assert [c.target for c in found.constraints] == sorted(expected)
    for number, constraint in enumerate(found.constraints):
        members = expected[constraint.target]
        rng = random.Random(number)
        drawn = Counter(key(found.draw(number, rng)) for _ in range(12 * len(members)))
        assert set(drawn) <= set(members)
        if len(members) > 1:
            assert stats.chisquare([drawn[name] for name in members]).pvalue > 1e-4


@pytest.mark.parametrize("step", [500, 333, 10_000, 2])
def test_every_sub_network_belongs_to_the_nearest_constraint(step: int) -> None:
    space = space_by_hand()
    expected = by_constraint(space, step)
    found = ladder("macs", space, step, 50)
    assert [kept.size for kept in found.kept] == [len(expected[c.target]) for c in found.constraints]
    assert {kept.tries for kept in found.kept} == {1.0}
    assert found.uniform
    if step > 2:
        assert_fair(found, expected)


def test_a_share_of_nearly_one_leads_to_no_weight_of_zero() -> None:
    cumulated = np.array([[0.0, 0.1, 0.3, 0.3], [0.0, 0.1, 0.3, 0.3], [0.2, 0.2, 0.2, 0.2], [0.0, 0.1, 0.3, 0.7]])
    assert picks(cumulated, np.array([1 - 2.0**-52, 0.0, 0.5, 0.5])).tolist() == [2, 1, 0, 3]

    class Ones(random.Random):
        def randbytes(self, n: int) -> bytes:
            return b"\xff" * n

    assert shares(Ones(), 3).tolist() == [1 - 2.0**-52] * 3


def test_what_is_not_listed_wastes_some_draws_and_stays_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constraints, "EFFORTS", (Effort(12, 200),))
    monkeypatch.setattr(constraints, "listing", lambda space: None)
    monkeypatch.setattr(upper_bounds, "FEWEST", 8)
    found = ladder("macs", space_by_hand(), 900, 3)
    assert max(kept.tries for kept in found.kept) > 1
    expected = by_constraint(space_by_hand(), 900)
    assert_fair(found, expected)
    for kept in found.kept:
        assert min(3, kept.size) == min(3, len(expected[kept.constraint.target]))


def test_entangled_choices_are_drawn_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elimination_module, "PAIR_LIMITS", (1,))
    found = ladder("macs", space_by_hand(), 2000, 4)
    assert not found.uniform
    expected = by_constraint(space_by_hand(), 2000)
    rng = random.Random(0)
    for number, kept in enumerate(found.kept):
        assert kept.tries >= 1
        assert kept.size <= len(expected[kept.constraint.target])
        assert all(key(found.draw(number, rng)) in expected[kept.constraint.target] for _ in range(20))


def test_a_step_far_too_small_is_refused() -> None:
    with pytest.raises(NoBudget, match=r"a macs step of 1 makes 13,\d\d\d constraints; at most 10,000"):
        budgets_of(space_by_hand(), [{"name": "macs", "step": 1}], 5, Path())


def test_several_budgets_are_numbered_through() -> None:
    settings = [{"name": "macs", "step": 3000}, {"name": "params", "step": 60}]
    found = budgets_of(space_by_hand(), settings, 5, Path())
    kinds = [constraint.kind for constraint in found.constraints]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"macs", "params"}
    rng = random.Random(1)
    for number, (constraint, capacity) in enumerate(zip(found.constraints, found.capacities(5), strict=True)):
        for _ in range(10):
            at = found.draw(number, rng)
            assert constraint.low <= found.cost(number, at) <= constraint.high
        assert 1 <= capacity <= 5
    assert f"{kinds.count('macs')} constraints in macs, 144 to " in found.summary()


def table(**changes: Any) -> dict[str, Any]:
    """Blocks by hand: the first takes 1 ms a channel, the second size * b / 10 ms where it is kept."""
    second = [size * b / 1e4 if keep else 0 for size in CHOICES["size"] for keep in (False, True) for b in WIDTHS]
    blocks = [
        {"name": "first", "choices": ["a"], "seconds": [a / 1e3 for a in WIDTHS]},
        {"name": "second", "choices": ["size", "keep", "b"], "seconds": second},
        {"name": "head", "choices": [], "seconds": [0.0005]},
    ]
    about = {"network": "by hand", "device": "cpu", "threads": 1, "batch_size": 1}
    return {**about, "choices": {name: list(options) for name, options in CHOICES.items()}, "blocks": blocks} | changes


def written(folder: Path, content: object) -> Path:
    path = folder / "latency.cpu.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_latencies_are_summed_over_blocks(tmp_path: Path) -> None:
    space = space_by_hand()
    found = read_table(written(tmp_path, table()), space)
    ats: list[dict[str, Any]] = [
        {"size": 6, "a": 5, "keep": True, "b": 13},
        {"size": 8, "a": 3, "keep": False},
    ]
    assert predicted(space, found, ats) == pytest.approx([0.005 + 0.0078 + 0.0005, 0.003 + 0.0005])
    timed = latency_space(space, found)
    assert_fair(ladder("latency", timed, 2_000_000, 50), by_constraint(timed, 2_000_000))
    budgets = budgets_of(space, [{"name": "latency", "device": "cpu", "step": 0.002}], 50, tmp_path)
    assert "from" not in budgets.summary()
    assert "constraints in latency, 3.500 ms to " in budgets.summary()
    assert "latencies by latency.cpu.json: cpu, 1 thread, 1 image at a time" in budgets.summary()


def timed(seconds: object) -> object:
    return table(blocks=[{"name": "first", "choices": [], "seconds": [seconds]}])


CHANGED: dict[str, Callable[[], object]] = {
    "is no JSON": lambda: "{",
    "is no JSON: it is nested too deeply": lambda: "[" * 100_000,
    "is no latency table: 'largest' is no object": lambda: table(largest=None),
    "'choices' is missing": lambda: {name: value for name, value in table().items() if name != "choices"},
    r"the document is no object: \[1, 2\]": lambda: [1, 2],
    "'more' is no key of it": lambda: table(more=1),
    "'format' is not specc latency 1: \"specc latency 2\"": lambda: table(format="specc latency 2"),
    "'choices' is no object": lambda: table(choices=["a"]),
    r"'choices\.a\[2\]' is no option: null": lambda: table(choices={"a": [3, 5, None, 13]}),
    "is no JSON: Infinity is no number": lambda: table(threads=float("inf")),
    "'threads' is no whole number of at least 1: true": lambda: table(threads=True),
    "'threads' is no whole number of at least 1: 1.0": lambda: table(threads=1.0),
    r"'blocks\[0\]\.seconds' is missing": lambda: table(blocks=[{"name": "first", "choices": []}]),
    r"'blocks\[0\]\.seconds\[0\]' is no time: -1": lambda: timed(-1),
    "is no JSON: NaN is no number": lambda: timed(float("nan")),
    "is no time: 1e\\+300": lambda: timed(1e300),
    "is no time: 10{37}": lambda: timed(10**400),
    "is no time: null": lambda: timed(None),
    "it has no choice 'depth'": lambda: table(choices={"depth": [1, 2]}),
    "the options of 'a' are others": lambda: table(choices={"a": [3, 5]}),
    "'first' has 1 latencies, its choices have 4": lambda: table(
        blocks=[{"name": "first", "choices": ["a"], "seconds": [1]}]
    ),
    "its largest sub-network has 7 macs, not 13,312": lambda: table(largest={"macs": 7}),
    "latency.cpu.json was measured on cuda, not on cpu": lambda: table(device="cuda"),
    "'first' reads 'c', whose options are not given": lambda: table(
        blocks=[{"name": "first", "choices": ["c"], "seconds": [1]}]
    ),
}


@pytest.mark.parametrize("message", CHANGED)
def test_a_wrong_table_says_what_is_wrong(message: str, tmp_path: Path) -> None:
    written(tmp_path, CHANGED[message]())
    with pytest.raises(NoBudget, match=message):
        budgets_of(space_by_hand(), [{"name": "latency", "device": "cpu", "step": 0.002}], 50, tmp_path)


def test_a_table_says_what_it_holds_for(tmp_path: Path) -> None:
    """Of any device, where the file is named; of networks that cost the same at most."""
    space = space_by_hand()
    top = {"macs": 64 * (39 + 169), "params": 39 + 169}
    content = table(device="phone", processor="ARM", threads=4, batch_size=8, form="sliced", largest=top)
    written(tmp_path, content).rename(tmp_path / "phone.json")
    found = read_table(tmp_path / "phone.json", space)
    assert found.conditions == "phone (ARM), 4 threads, 8 images at a time, sliced"
    budgets = budgets_of(space, [{"name": "latency", "device": "phone.json", "step": 0.002}], 50, tmp_path)
    assert f"latencies by phone.json: {found.conditions}" in budgets.summary()
    assert file_name("cpu") == "latency.cpu.json"
    assert file_name("cuda", 1, 16, "sliced") == "latency.cuda.batch16.sliced.json"


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoBudget, match=r"there is no latency\.gpu\.json beside train\.py"):
        budgets_of(space_by_hand(), [{"name": "latency", "device": "gpu", "step": 0.002}], 50, tmp_path)


@pytest.mark.parametrize(
    ("device", "command"),
    [
        ("cpu", "`python bench.py --table`"),
        ("cuda", "`python bench.py --table --device cuda`"),
        ("phone.json", "phone.json"),
    ],
)
def test_how_to_measure_a_missing_table_is_said_for_its_device(device: str, command: str, tmp_path: Path) -> None:
    with pytest.raises(NoBudget) as raised:
        budgets_of(space_by_hand(), [{"name": "latency", "device": device, "step": 0.002}], 50, tmp_path)
    assert command in str(raised.value).partition("; ")[2]


def test_windows_at_the_ends_of_mobilenet_v1_are_counted_and_all_can_be_drawn_from() -> None:
    """4e15 sub-networks: their costs are rounded, except at the ends, where there are few."""
    space = space_of(load(SPECS / "mobilenet_v1_pss.specc").graph)
    found = ladder("macs", space, 10_000_000, 50)
    targets = [c.target for c in found.constraints]
    assert targets == [106_770_432 + t * 10_000_000 for t in range(len(targets))]
    assert found.constraints[-1].low <= 568_740_352 <= found.constraints[-1].high
    assert max(kept.tries for kept in found.kept) < 2
    assert all(kept.size >= 50 for kept in found.kept[1:-1])
    rng = random.Random(0)
    for number, constraint in enumerate(found.constraints):
        for _ in range(3):
            assert constraint.low <= found.cost(found.draw(number, rng)) <= constraint.high


def test_the_papers_sampler_is_biased_and_ours_is_not() -> None:
    """MobileNetV2 near 150 M MACs, the resolution: Eq. 4 against the sub-networks that there are (FACTS: 544 on 5)."""
    space = space_of(load(SPECS / "mobilenet_v2_pss.specc").graph)
    ours = ladder("macs", space, 10_000_000, 50)
    (number,) = (n for n, c in enumerate(ours.constraints) if c.low <= 150_000_000 <= c.high)
    constraint = ours.constraints[number]
    everything = list(every(space))
    assert len(everything) == 41_184
    assert space.costs is not None
    costs = space.costs(positions(space, everything))[0]
    inside = [at for at, cost in zip(everything, costs, strict=True) if constraint.low <= cost <= constraint.high]
    there = Counter(at["resolution"] for at in inside)
    assert (ours.kept[number].size, ours.kept[number].tries) == (len(inside), 1.0)
    draws = 5000
    statistic = {}
    for name, found in (("uniform", ours), ("paper", by_marginals(ours))):
        rng = random.Random(0)
        seen = Counter(found.draw(number, rng)["resolution"] for _ in range(draws))
        assert set(seen) <= set(there)
        sizes = sorted(size for size, count in there.items() if draws * count / len(inside) >= 5)
        expected = [draws * there[size] / len(inside) for size in sizes]
        scale = sum(seen[size] for size in sizes) / sum(expected)
        statistic[name] = stats.chisquare([seen[size] for size in sizes], [scale * e for e in expected])
    assert statistic["uniform"].pvalue > 1e-3
    assert statistic["paper"].statistic > 100
    assert statistic["paper"].pvalue < 1e-10
