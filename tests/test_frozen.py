"""Frozen classes behave as the standard library's do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from specc.frozen import frozen


@frozen
class Ours:
    """A class of three fields."""

    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Theirs:
    """The same."""

    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list)


@pytest.mark.parametrize("made", [Ours, Theirs])
def test_a_frozen_class_is_made_shown_replaced_and_kept(made: type[Ours]) -> None:
    one = made(1, c=[2])
    assert repr(one) == f"{made.__name__}(a=1, b='x', c=[2])"
    assert (replace(one, b="y").b, one.b) == ("y", "x")
    assert [f.name for f in fields(one)] == ["a", "b", "c"] == list(made.__match_args__)
    assert made(1).c is not made(1).c
    assert one != made(1, c=[2])
    assert one in {one}
    for copied in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert (copied.a, copied.b, copied.c) == (1, "x", [2])
    called: Any = made
    for values, named in (((), {}), ((1, "y", [], 4), {}), ((1,), {"d": 2}), ((1,), {"a": 2})):
        with pytest.raises(TypeError):
            called(*values, **named)
    with pytest.raises(FrozenInstanceError):
        one.a = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.a
    with pytest.raises((AttributeError, TypeError)):
        one.other = 2  # type: ignore[attr-defined]
