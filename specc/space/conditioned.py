"""Sampling where a global choice makes variable elimination too large: its options are conditioned on, one by one.

A resolution, an exit or another choice with very many readers multiplies the states of the elimination. With its option
fixed, what is left is a space of its own. Which of these a try is made in is drawn by the upper bounds on how many
sub-networks they hold in the window, and a try comes to nothing by as much as its bound is too large: so each
sub-network is drawn equally often, whatever space it is in.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import exp, log, prod

import numpy as np

from specc.space.aim import Effort, aim, draws, start
from specc.space.choices import Space
from specc.space.elimination import Ints, TooEntangled, eliminate_uncached
from specc.space.line import ANY, Window, goal, line_along

MOST_PARTS = 100
"""The most spaces that one is taken apart to."""
WEIGHED = 4
"""How many of the choices that are read the most are tried."""
EFFORT = Effort(60_000, 20_000_000)
TRIES = 3
"""Tries made in every part, for each sub-network wanted, with all there are as the most that are needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A space in which some choices have one option; `at` [choices] is what must be added to its option positions."""

    space: Space
    at: Ints


def parts_of(space: Space) -> list[Part] | None:
    """The spaces that one is taken apart to, so that each has an elimination; None where that takes too many."""
    index = {name: place for place, name in enumerate(space.choices)}
    read = Counter(name for scope in space.together for name in scope)
    globals_ = [name for name, _ in read.most_common() if name not in space.active][:WEIGHED]
    for number in (1, 2):
        for names in combinations(globals_, number):
            sizes = [len(space.choices[name]) for name in names]
            if not 1 < prod(sizes) <= MOST_PARTS:
                continue
            found = []
            for options in product(*map(range, sizes)):
                at = np.zeros(len(index), np.int64)
                at[[index[name] for name in names]] = options
                found.append(Part(fixed(space, dict(zip(names, options, strict=True)), at), at))
            try:
                eliminate_uncached(found[-1].space, with_costs=True)
            except TooEntangled:
                continue
            return found
    return None


def fixed(space: Space, options: dict[str, int], at: Ints) -> Space:
    """The space with one option of some choices, which matter always."""
    costs = space.costs
    assert costs is not None

    def shifted(rows: Ints) -> tuple[Ints, ...]:
        return costs(rows + at)

    choices = {
        name: all_of if name not in options else all_of[options[name] : options[name] + 1]
        for name, all_of in space.choices.items()
    }
    return Space(choices, space.active, space.together, shifted, space.kinds)


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """Some tries in one part: those that came to something, as rows of option positions, and whether each did."""

    weight: float
    rows: Ints
    hits: tuple[bool, ...]


def tried_in(part: Part, window: Window, number: int, rng: random.Random) -> Tried | None:
    """Tries in one part, with the logarithm of its upper bound; None where it is known that nothing is there."""
    elimination = eliminate_uncached(part.space, with_costs=True)
    kinds = [kind for kind, interval in enumerate(window) if interval != ANY] or [0]
    goals = [goal(line_along(elimination, kind), window[kind]) for kind in kinds]
    if any(one is None for one in goals):
        return None
    known = [one for one in goals if one is not None]
    to = aim(elimination, known, EFFORT)
    of = start(to, known[0])
    if not of.bound > 0:
        return None
    rows = draws(to, of, number, rng) + part.at
    hits = [place < len(rows) for place in range(number)]
    rng.shuffle(hits)
    scaled = sum(log(one.factor) for one in to.backs)
    return Tried(log(of.bound) - scaled, rows, tuple(hits))


def tries_in_parts(
    parts: list[Part], window: Window, number: int, rng: random.Random
) -> tuple[Ints, int] | None:
    """Sub-networks that are uniform over the window (or, of several windows, over the first), as rows of option
    positions, and how many tries they took; None where it is known that there are none."""
    lot = TRIES * number + 50
    found = [tried for part in parts if (tried := tried_in(part, window, lot, rng)) is not None]
    if not found:
        return None
    most = max(tried.weight for tried in found)
    weights = [exp(tried.weight - most) for tried in found]
    nexts: list[Iterator[bool]] = [iter(tried.hits) for tried in found]
    used = [0] * len(found)
    kept, tries = [], 0
    for place in rng.choices(range(len(found)), weights, k=lot):
        hit = next(nexts[place], None)
        if hit is None:
            break
        tries += 1
        if hit:
            kept.append(found[place].rows[used[place]])
            used[place] += 1
    width = len(parts[0].at)
    return np.array(kept, np.int64).reshape(-1, width), tries
