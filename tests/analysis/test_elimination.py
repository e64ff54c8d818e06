"""Variable elimination against brute force: each sub-network is one way through, at its true cost; rows are few."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from specc.pipeline import load
from specc.space import elimination as counting
from specc.space.conditioned import listing
from specc.space.elimination import Elimination, TooEntangled, cost_ranges, eliminate, pairs_in, steps_in
from specc.space.states import State, readers, terms_of
from specc.space.tilting import whole_space
from specc.subnets.space import space_of
from tests.helpers.folders import SPECS
from tests.helpers.joined import JOINED, UNET, space_in
from tests.helpers.spaces import everything, random_space

SEEDS = range(120)


def ways(elimination: Elimination) -> Counter[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All ways through an elimination: (option positions, costs), by following every pair."""
    found = [(0, (0,) * len(elimination.space.choices), elimination.base)]
    for step in elimination.steps:
        after = []
        for row, at, cost in found:
            for pair in np.flatnonzero(step.source == row).tolist():
                options = (*at[: step.choice], int(step.option[pair]), *at[step.choice + 1 :])
                total = tuple(c + a for c, a in zip(cost, step.added[pair].tolist(), strict=True))
                after.append((int(step.target[pair]), options, total))
        found = after
    return Counter((at, cost) for _, at, cost in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_sub_network_is_one_way_at_its_cost(seed: int) -> None:
    space = random_space(seed)
    rows, costs = everything(space)
    truth = Counter((tuple(row), tuple(cost)) for row, cost in zip(rows.tolist(), costs.tolist(), strict=True))
    assert ways(eliminate(space, with_costs=True)) == truth
    assert counting.size(space) == len(rows)
    assert cost_ranges(space) == tuple((int(c.min()), int(c.max())) for c in costs.T)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_choices_finds_the_same(seed: int) -> None:
    space = random_space(seed)
    rows, costs = everything(space)
    truth = Counter((tuple(row), tuple(cost)) for row, cost in zip(rows.tolist(), costs.tolist(), strict=True))
    order = np.random.default_rng(seed).permutation(len(space.choices)).tolist()
    known = terms_of(space)
    steps = steps_in(order, space, readers(space, known.terms), 10**6)
    assert steps is not None
    assert ways(Elimination(space, tuple(steps), known.base)) == truth


@pytest.mark.parametrize("seed", SEEDS)
def test_listings_hold_every_sub_network_once(seed: int) -> None:
    space = random_space(seed)
    rows, costs = everything(space)
    found = listing(space)
    assert found is not None
    assert found.size == len(rows)
    listed = found.rows(np.arange(found.size))
    assert sorted(map(tuple, listed.tolist())) == sorted(map(tuple, rows.tolist()))
    told = np.concatenate([some for _, some in found.costs()], axis=1).T
    assert sorted(map(tuple, told.tolist())) == sorted(map(tuple, costs.tolist()))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_terms_of_a_cost_add_up_to_it(seed: int) -> None:
    space = random_space(seed)
    known = terms_of(space)
    rows = np.array([*product(*(range(len(options)) for options in space.choices.values()))])
    total = np.array(known.base) + np.zeros((len(rows), 1), np.int64)
    for term in known.terms:
        assert not any(term.values.take(0, axis).any() for axis in range(1, 1 + len(term.scope)))
        total = total + np.stack([one[tuple(rows[:, c] for c in term.scope)] for one in term.values], axis=1)
    assert space.costs is not None
    assert (total == np.stack(space.costs(rows), axis=1)).all()


@pytest.mark.parametrize("seed", range(40))
def test_rows_that_differ_to_the_rest_are_told_apart_and_no_others(seed: int) -> None:
    """By brute force over what is still to come: the costs it adds, and which of it may be."""
    space = random_space(seed, most=5)
    rows, costs = everything(space)
    of = {tuple(row): tuple(cost) for row, cost in zip(rows.tolist(), costs.tolist(), strict=True)}
    sizes = [len(options) for options in space.choices.values()]
    state = State(readers(space, terms_of(space).terms), sizes, 2)
    order = list(range(len(sizes)))
    prefixes: dict[tuple[int, ...], int] = {(): 0}
    for choice in order[:-1]:
        source, option, _ = state.take_up(choice)
        target = state.merge()
        step = {(s, o): t for s, o, t in zip(source.tolist(), option.tolist(), target.tolist(), strict=True)}
        prefixes = {
            (*at, o): step[row, o] for at, row in prefixes.items() for o in range(sizes[choice]) if (row, o) in step
        }
        rest = [*product(*(range(size) for size in sizes[choice + 1 :]))]
        seen: dict[int, set[tuple[object, ...]]] = {}
        for at, row in prefixes.items():
            after = [of.get((*at, *more)) for more in rest]
            first = next((cost for cost in after if cost is not None), None)
            if first is not None:
                told = tuple(None if c is None else (c[0] - first[0], c[1] - first[1]) for c in after)
                seen.setdefault(row, set()).add(told)
        assert all(len(kinds) == 1 for kinds in seen.values())


def test_of_a_concatenation_the_sum_is_remembered() -> None:
    """Three widths of 17 options are 4,913 combinations and 49 sums."""
    elimination = eliminate(space_in(JOINED), with_costs=True)
    assert max(step.rows for step in elimination.steps) <= 5 * 49
    assert pairs_in(elimination.steps) < 5 * 17 * 49 * 3


def test_a_network_that_comes_back_to_its_beginning_is_begun_in_the_middle() -> None:
    assert pairs_in(eliminate(space_in(UNET), with_costs=True).steps) < 250_000


def test_too_many_combinations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specc.space.elimination.PAIR_LIMITS", (100, 1000))
    with pytest.raises(TooEntangled):
        eliminate(replace(space_in(UNET)), with_costs=True)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.specc")), ids=lambda path: path.stem)
def test_the_terms_of_a_spec_add_up_to_its_costs(path: Path) -> None:
    space = space_of(load(path).graph)
    known = terms_of(space)
    rows = whole_space(space, 200, random.Random(0))
    total = np.array(known.base).reshape(-1, 1) + np.zeros((1, len(rows)), np.int64)
    for term in known.terms:
        total += np.stack([one[tuple(rows[:, c] for c in term.scope)] for one in term.values])
    assert space.costs is not None
    assert (total == np.stack(space.costs(rows))).all()
