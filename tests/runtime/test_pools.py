"""PSS-Net's pools: Algorithm 2 worked out by hand, on scripted losses and with scripted random numbers."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Iterator
from math import exp, nan
from typing import Any

import pytest
from scipy import stats

from specc.space.pools import Pick, Pools, annealed, softmax, updated


def at(name: str) -> dict[str, Any]:
    return {"width": name}


class Script(random.Random):
    """Gives the numbers that it was told: those of `random` and those of `randrange`, which picks the constraint."""

    def __new__(cls, *args: Any) -> Script:
        return super().__new__(cls)

    def __init__(self, constraints: list[int], shares: list[float]) -> None:
        super().__init__(0)
        self.constraints: Iterator[int] = iter(constraints)
        self.shares: Iterator[float] = iter(shares)

    def randrange(self, *args: Any) -> int:
        return next(self.constraints)

    def random(self) -> float:
        return next(self.shares)


def rounded(pools: Pools, constraint: int) -> list[tuple[object, float]]:
    """A pool with its scores to twelve digits."""
    return [(at["width"], round(score, 12)) for at, score in pools.entries[constraint]]


def test_the_dynamics_of_a_pool_step_by_step() -> None:
    """Two constraints, capacities 2 and 1, ten epochs. Every line was worked out with pencil and paper."""
    space = {0: iter("abcde"), 1: iter("xyz")}
    pools = Pools(lambda constraint, rng: at(next(space[constraint])), [2, 1])

    def step(epoch: int, constraint: int, shares: list[float], loss: float) -> Pick:
        script = Script([constraint], shares)
        pick = pools.pick(script, epoch, 10)
        pools.record(pick, -loss)
        assert list(script.shares) == [], "random numbers were left over"
        return pick

    # Not full: the space, whatever the epoch, and no random number is spent on deciding so.
    assert step(0, 0, [], 2.0) == Pick(0, at("a"), from_pool=False)
    assert pools.entries == [[(at("a"), -2.0)], []]
    assert step(9, 0, [], 1.0) == Pick(0, at("b"), from_pool=False)
    assert pools.entries == [[(at("b"), -1.0), (at("a"), -2.0)], []]
    # Full, in the first epoch: p = 1, and every number lies below it.
    assert step(0, 0, [0.999], 1.5) == Pick(0, at("c"), from_pool=False)
    assert pools.entries[0] == [(at("b"), -1.0), (at("c"), -1.5)]  # a went
    # The newcomer is the worst: it goes at once.
    assert step(0, 0, [0.5], 3.0) == Pick(0, at("d"), from_pool=False)
    assert pools.entries[0] == [(at("b"), -1.0), (at("c"), -1.5)]
    # Epoch 5: p = eta = 0.1. Below p the space; e is as good as the worst, who came first and stays.
    assert step(5, 0, [0.0999], 1.5) == Pick(0, at("e"), from_pool=False)
    assert pools.entries[0] == [(at("b"), -1.0), (at("c"), -1.5)]
    # From p on the pool: shares 1 and exp(-0.5 / 0.1) = exp(-5), so b up to 1 / (1 + exp(-5)) = 0.99331.
    assert step(5, 0, [0.1, 0.9933], 4.0) == Pick(0, at("b"), from_pool=True)
    # 0.9 * -1 + 0.1 * -4 = -1.3: still the best.
    assert rounded(pools, 0) == [("b", -1.3), ("c", -1.5)]
    assert step(5, 0, [0.5, 0.999], 0.5) == Pick(0, at("c"), from_pool=True)
    # 0.9 * -1.5 + 0.1 * -0.5 = -1.4.
    assert rounded(pools, 0) == [("b", -1.3), ("c", -1.4)]
    assert step(5, 0, [0.5, 0.0], 9.0) == Pick(0, at("b"), from_pool=True)
    # 0.9 * -1.3 + 0.1 * -9 = -2.07: c leads.
    assert rounded(pools, 0) == [("c", -1.4), ("b", -2.07)]
    # The other pool is its own affair.
    assert step(5, 1, [], 0.7) == Pick(1, at("x"), from_pool=False)
    assert step(5, 1, [0.1, 0.5], 0.7) == Pick(1, at("x"), from_pool=True)
    assert rounded(pools, 1) == [("x", -0.7)]
    assert pools.best(0, 1) == [at("c")]
    assert pools.best(0, 5) == [at("c"), at("b")]


def test_what_the_space_gives_again_is_averaged_and_not_doubled() -> None:
    entries = updated([(at("a"), -1.0), (at("b"), -2.0)], at("b"), 8.0, 2, 0.9)
    assert entries == [(at("a"), -1.0), (at("b"), 0.9 * -2 + (1 - 0.9) * 8)]


def test_a_loss_that_is_no_number_is_the_worst() -> None:
    entries = updated([(at("a"), -1.0)], at("b"), nan, 2, 0.9)
    assert [name for name, _ in entries] == [at("a"), at("b")]
    assert softmax([score for _, score in entries], 0.01) == [1.0, 0.0]


def test_shares_fall_from_one_to_their_end() -> None:
    assert annealed(0.01, 0) == 1
    assert annealed(0.01, 0.5) == pytest.approx(0.1)
    assert annealed(0.01, 1) == pytest.approx(0.01)
    assert softmax([-1.0, -2.0], 0.5) == pytest.approx([1 / (1 + exp(-2)), exp(-2) / (1 + exp(-2))])


def test_constraints_are_drawn_uniformly_and_entries_by_their_softmax() -> None:
    pools = Pools(lambda constraint, rng: at("new"), [3] * 4)
    scores = [-0.2, -0.25, -0.4]
    pools.entries = [list(zip(map(at, "abc"), scores, strict=True)) for _ in range(4)]
    rng = random.Random(5)
    picks = [pools.pick(rng, 5, 10) for _ in range(8000)]
    seen = Counter(pick.constraint for pick in picks)
    assert stats.chisquare([seen[n] for n in range(4)]).pvalue > 1e-3
    assert stats.binomtest(sum(not pick.from_pool for pick in picks), 8000, 0.1).pvalue > 1e-3
    names = Counter(pick.at["width"] for pick in picks if pick.from_pool)
    total = sum(names.values())
    expected = [total * share for share in softmax(scores, 0.1)]
    assert stats.chisquare([names[name] for name in "abc"], expected).pvalue > 1e-3


def test_pools_that_were_saved_go_on_exactly() -> None:
    def draw(constraint: int, rng: random.Random) -> dict[str, Any]:
        return {"width": rng.randrange(12), "keep": rng.random() < 0.5}

    def run(pools: Pools, first: int, last: int) -> None:
        for epoch in range(first, last):
            rng = random.Random(epoch)
            for _ in range(20):
                pick = pools.pick(rng, epoch, 8)
                pools.record(pick, -rng.random())

    whole = Pools(draw, [4, 6])
    run(whole, 0, 8)
    broken = Pools(draw, [4, 6])
    run(broken, 0, 3)
    saved = copy.deepcopy(broken.state())
    run(broken, 3, 5)
    resumed = Pools(draw, [4, 6])
    resumed.restore(saved)
    run(resumed, 3, 8)
    assert resumed.state() == whole.state()
    with pytest.raises(ValueError, match="other constraints: 2 then, 1 now"):
        Pools(draw, [4]).restore(saved)
