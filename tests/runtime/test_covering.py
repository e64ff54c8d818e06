"""The sub-networks that latency tables are measured on: together they have every block in every shape."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from specc.runtime.latency.block_times import covering, reachable, refuse_too_many, seen
from specc.space import choices
from specc.space.choices import Space

WIDTHS = tuple(range(8, 40, 4))
SPACE = Space(
    {"size": (6, 8), "a": WIDTHS, "keep": (False, True), "b": WIDTHS, "depth": (0, 1, 2), "c": (1, 2, 3)},
    {"b": ({"keep": (True,)},), "c": ({"depth": (1, 2)},)},
)
BLOCKS = {
    "stem": ["size", "a"],
    "s1": ["size", "a", "keep", "b"],
    "s2.b1": ["a", "depth", "c"],
    "s2.b2": ["depth", "c"],
    "hidden": ["c"],
    "head": [],
}


@pytest.fixture
def space() -> Any:
    def canonical(at: Any) -> dict[str, Any]:
        return choices.canonical(SPACE, at)

    return SimpleNamespace(CHOICES=SPACE.choices, SPACE=SPACE, canonical=canonical)


def test_every_block_is_met_in_every_shape(space: Any) -> None:
    ats = covering(space, BLOCKS, 1, random.Random(0))
    assert all(at == space.canonical(at) for at in ats)
    for path, read in BLOCKS.items():
        wanted = {seen(space, at, read) for at in choices.every(SPACE)}
        assert set(reachable(space, read)) == wanted
        assert {seen(space, at, read) for at in ats} == wanted, path
    # s1 has most: 2 sizes, 8 widths, and 8 hidden ones or none.
    assert 144 <= len(ats) <= 160


def test_small_spaces_are_covered_several_times(space: Any) -> None:
    once = covering(space, {"stem": BLOCKS["stem"]}, 1, random.Random(0))
    assert len(once) == 16
    several = covering(space, {"stem": BLOCKS["stem"]}, 40, random.Random(0))
    assert len(several) == 48
    for start in (0, 16, 32):
        assert len({(at["size"], at["a"]) for at in several[start : start + 16]}) == 16
    assert len({str(at) for at in several}) > 30, "a block is met among others that vary"


def test_what_there_is_varies_no_more_than_it_has_to(space: Any) -> None:
    """Where keep or depth decide about nothing that is lacking, they are at their largest."""
    ats = covering(space, BLOCKS, 1, random.Random(0))
    assert sum(not at["keep"] for at in ats) <= 20
    assert sum(at["depth"] < 2 for at in ats) <= 45


def test_the_same_seed_covers_alike(space: Any) -> None:
    assert covering(space, BLOCKS, 1, random.Random(5)) == covering(space, BLOCKS, 1, random.Random(5))


def test_a_table_that_would_be_too_large_is_refused() -> None:
    space = SimpleNamespace(CHOICES={"a": range(1000), "b": range(1000)})
    with pytest.raises(SystemExit, match="the block s1 reads choices of 1,000,000 combinations"):
        refuse_too_many(space, {"stem": ["a"], "s1": ["a", "b"]})
