"""Sizes: exact arithmetic over choices, against Python's own numbers."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction
from typing import Any

import pytest

from specc.runtime.net.sizes import (
    Expr,
    OneOf,
    Program,
    Runs,
    cat,
    ceil,
    divisible,
    floor,
    greatest,
    half_up,
    largest,
    named,
    narrowest,
    pick,
    position,
    smallest,
    times,
    total,
    wanted,
)
from specc.space import functions

DEPTH = OneOf(1, 2, 3, name="depth")
WIDTH = OneOf(0.35, 0.5, 1, name="width")
EXIT = OneOf("e4", "e6", "head", name="exit")


def value(size: Any, outputs: tuple[str, ...] = (), **at: Any) -> Any:
    """The size's value, by a program, under options as `complete` gives them."""
    program = Program()
    place = program.place(size)
    values = program.start.copy()
    for here, choice in program.choices:
        values[here] = functions.exact(at[choice.name])
    for here, name in program.outputs:
        values[here] = name in outputs
    for here, function, read in program.steps:
        values[here] = function(*read(values))
    return values[place]


CASES: list[tuple[Any, Any]] = [
    (3 * DEPTH + 1, lambda d, w: 3 * d + 1),
    (10 - DEPTH, lambda d, w: 10 - d),
    (64 * WIDTH / 4, lambda d, w: 16 * w),
    (64 * WIDTH // 3, lambda d, w: 64 * w // 3),
    (7 // DEPTH, lambda d, w: 7 // d),
    (1 / DEPTH, lambda d, w: Fraction(1, d)),
    (divisible(0.35 * 64 * WIDTH, 8), lambda d, w: functions.divisible(Fraction(35, 100) * 64 * w, 8)),
    (half_up(5 * WIDTH), lambda d, w: functions.round_half_up(5 * w)),
    (floor(5 * WIDTH) + ceil(5 * WIDTH), lambda d, w: 2 * (5 * w // 1) + (5 * w % 1 > 0)),
    (smallest(DEPTH, 2) * greatest(DEPTH, 2), lambda d, w: min(d, 2) * max(d, 2)),
    (position(WIDTH, 0.35, 0.5, 1), lambda d, w: [Fraction(7, 20), Fraction(1, 2), 1].index(w)),
    (pick(DEPTH >= 2, 8, WIDTH), lambda d, w: 8 if d >= 2 else w),
    ((DEPTH > 1) & ~(WIDTH < 1), lambda d, w: d > 1 and w >= 1),
    ((DEPTH <= 1) | WIDTH.is_(1), lambda d, w: d <= 1 or w == 1),
    (DEPTH.among(1, 3) & WIDTH.isnt(0.35), lambda d, w: d in (1, 3) and w != Fraction(7, 20)),
    (DEPTH.after(1), lambda d, w: d > 1),
]


@pytest.mark.parametrize(("size", "wanted"), CASES, ids=[str(i) for i in range(len(CASES))])
def test_the_value_is_exact(size: Any, wanted: Any) -> None:
    for d in DEPTH.options:
        for w in WIDTH.options:
            expected = wanted(d, functions.exact(w))
            found = value(size, depth=d, width=w)
            assert found == expected
            assert isinstance(found, (int, Fraction))
    assert largest(size) == wanted(3, 1)
    assert narrowest(size) == wanted(1, Fraction(7, 20))


def test_plain_numbers_are_computed_at_once() -> None:
    assert divisible(64, 8) == 64
    assert divisible(0.35 * 32, 8) == 16
    assert half_up(2.5) == 3
    assert position(0.5, 0.35, 0.5) == 1
    assert pick(True, 3, 4) == 3
    assert cat(16, 32) == 48
    assert times(16, 49) == 784
    assert largest(7) == narrowest(7) == total(7) == 7
    assert 1 * DEPTH is DEPTH
    assert 0 + DEPTH is DEPTH


def test_sizes_are_equal_where_they_are_written_alike() -> None:
    first, second = divisible(32 * WIDTH, 8), divisible(32 * OneOf(0.35, 0.5, 1, name="width"), 8)
    assert first == second
    assert hash(first) == hash(second)
    assert first != divisible(64 * WIDTH, 8)
    assert first != 16
    own = OneOf(1, 2)
    assert own != OneOf(1, 2)
    assert 2 * own == 2 * own
    assert cat(first, 8) == cat(second, 8)


def test_conditions_are_not_asked_when_the_network_is_made() -> None:
    with pytest.raises(TypeError, match=r"ge\(depth, 2\) depends on choices: it is known when a plan is made"):
        bool(DEPTH >= 2)
    with pytest.raises(TypeError, match="depends on choices"):
        max(DEPTH, 2 * DEPTH)
    with pytest.raises(AttributeError, match="immutable"):
        DEPTH.name = "other"


def test_exits_and_outputs() -> None:
    assert [value(EXIT.after("e4"), exit=e) for e in EXIT.options] == [0, 1, 1]
    assert [value(EXIT.is_("head"), exit=e) for e in EXIT.options] == [0, 0, 1]
    assert value(EXIT, exit="e6") == "e6"
    names = named(DEPTH, {d: f"head{d}" for d in DEPTH.options})
    assert [value(names, depth=d) for d in DEPTH.options] == ["head1", "head2", "head3"]
    assert value(wanted("e4") & EXIT.after("e4"), ("e4", "head"), exit="head")
    assert not value(wanted("e4"), ("head",))
    assert named(EXIT, {"e4": "e6", "e6": "e4", "head": "e4"}) != EXIT
    assert value(named(EXIT, {"e4": "e6", "e6": "head", "head": "e4"}), exit="e6") == "head"


def test_channels_in_runs() -> None:
    grown = OneOf(8, 12, name="grown")
    runs: Any = cat(cat(16, 4), grown, cat(grown, 16))
    assert runs == (20, grown, grown, 16)
    assert isinstance(runs, Runs)
    assert largest(runs) == (20, 12, 12, 16)
    assert value(runs, grown=8) == (20, 8, 8, 16)
    assert largest(times(runs, 4)) == (80, 48, 48, 64)
    assert largest(total(runs)) == 60
    # in arithmetic, the channels together: Python's own tuples would be repeated and joined
    for size, expected in ((2 * runs, 120), (runs * 2, 120), (runs // 2, 30), (runs + 4, 64), (runs / 4, 15)):
        assert isinstance(size, Expr)
        assert largest(size) == expected
    assert value(divisible(runs / 4, 8), grown=8) == 16


def test_sizes_are_copied_and_pickled() -> None:
    own = OneOf(3, 5, 7)
    sizes = [own, 2 * own, divisible(32 * WIDTH, 8), cat(8, own), EXIT.after("e4"), wanted("e4")]
    assert copy.deepcopy(sizes)[0] is own
    again = pickle.loads(pickle.dumps(sizes))
    assert again[2] == sizes[2]
    assert again[4:] == sizes[4:]
    assert again[1] == 2 * again[0]
    assert largest(again[3]) == (8, 7)


def test_each_distinct_size_is_computed_once() -> None:
    program = Program()
    hidden = divisible(32 * WIDTH, 8)
    places = [program.place(size) for size in (hidden, divisible(32 * WIDTH, 8), hidden * 4, (hidden, 8), (hidden, 8))]
    assert places[0] == places[1]
    assert places[3] == places[4]
    assert len(program.steps) == 4
