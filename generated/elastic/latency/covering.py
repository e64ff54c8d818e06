"""Few sub-networks that together have every block in every shape: the ones that a latency table is measured on."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

Combination: TypeAlias = tuple[Any, ...]
"""An option for each of the choices that a block reads; an inactive choice stands at its first one."""

MOST = 100_000
"""The most combinations of options that one block may read."""
LOOKED = 64
"""How many of a block's combinations are looked at for one that goes with what is fixed already."""


def number_of(space: Any, choices: Sequence[str]) -> int:
    return prod(len(space.CHOICES[name]) for name in choices)


def options_of(space: Any, choices: Sequence[str]) -> Iterator[Combination]:
    """All combinations of some choices, the last one changing fastest."""
    return itertools.product(*(space.CHOICES[name] for name in choices))


def refuse_too_many(space: Any, blocks: Mapping[str, Sequence[str]]) -> None:
    """Exits where a block reads too many choices for a table."""
    path = max(blocks, key=lambda path: number_of(space, blocks[path]))
    most = number_of(space, blocks[path])
    if most > MOST:
        raise SystemExit(
            f"the block {path} reads choices of {most:,} combinations; a table has {MOST:,} at most"
        )


def covering(
    space: Any, blocks: Mapping[str, Sequence[str]], least: int, rng: random.Random
) -> list[dict[str, Any]]:
    """Sub-networks in which every block has every combination of its choices, `least` of them or more.

    Canonical assignments, in the order in which they cover most first; where they are few, all is covered once more.
    Otherwise choices are drawn at random, so that a block is met among different ones; those that decide what there is
    stay at their largest, for each structure has to be traced.
    """
    wanted = {path: reachable(space, choices) for path, choices in blocks.items()}
    found: list[dict[str, Any]] = []
    while not found or len(found) < least:
        found += covered_once(space, blocks, wanted, rng)
    return found


def reachable(space: Any, choices: Sequence[str]) -> list[Combination]:
    """The different combinations, as they stand in canonical assignments."""
    largest = {name: options[-1] for name, options in space.CHOICES.items()}
    found = {
        seen(space, space.canonical({**largest, **dict(zip(choices, given, strict=True))}), choices)
        for given in options_of(space, choices)
    }
    return [given for given in options_of(space, choices) if given in found]


def seen(space: Any, at: Mapping[str, Any], choices: Sequence[str]) -> Combination:
    """A block's combination in a canonical assignment."""
    return tuple(at[name] if name in at else space.CHOICES[name][0] for name in choices)


def covered_once(
    space: Any,
    blocks: Mapping[str, Sequence[str]],
    wanted: Mapping[str, Sequence[Combination]],
    rng: random.Random,
) -> Iterator[dict[str, Any]]:
    """Every combination at least once, greedily: the block that lacks most chooses first."""
    largest = {name: options[-1] for name, options in space.CHOICES.items()}
    deciding = {name for terms in space.SPACE.active.values() for term in terms for name in term}
    usual = {name: space.CHOICES[name][-1] for name in deciding}
    # Dictionaries serve as sets that keep a random order.
    lacking = {path: dict.fromkeys(rng.sample(given, len(given))) for path, given in wanted.items()}
    while any(lacking.values()):
        fixed: dict[str, Any] = {}
        order = sorted(lacking, key=lambda path: -len(lacking[path]))
        for path in order:
            for given in itertools.islice(lacking[path], LOOKED):
                meant = dict(zip(blocks[path], given, strict=True))
                if all(fixed.get(name, option) == option for name, option in meant.items()):
                    fixed |= meant
                    break
        first, choices = next(iter(lacking[order[0]])), blocks[order[0]]
        drawn = {name: rng.choice(options) for name, options in space.CHOICES.items()}
        at = space.canonical(drawn | usual | fixed)
        if seen(space, at, choices) != first:
            # Something else that is fixed makes a choice inactive.
            at = space.canonical(largest | dict(zip(choices, first, strict=True)))
        for path, choices in blocks.items():
            lacking[path].pop(seen(space, at, choices), None)
        yield at
