"""`quick` dataclasses behave as the standard ones do; only their `__init__` is another."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from specc.ir.quick import quick


@dataclass(frozen=True, slots=True)
class Standard:
    name: str
    size: int = 3
    parts: tuple[int, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    size: int = 3
    parts: tuple[int, ...] = ()


def test_arguments_go_by_place_and_by_name() -> None:
    for made in (Shape("a", 4, (1,)), Shape(name="a", size=4, parts=(1,)), Shape("a", parts=(1,), size=4)):
        assert (made.name, made.size, made.parts) == ("a", 4, (1,))
    assert Shape("a") == Shape("a", 3, ()) != Shape("a", 4)
    assert len({Shape("a"), Shape("a"), Shape("b")}) == 2
    assert repr(Shape("a")) == repr(Standard("a")).replace("Standard", "Shape")


@pytest.mark.parametrize("arguments", [(), ("a", 1, (), 2)])
def test_too_few_and_too_many_are_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Shape(*arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Shape("a", sise=3)  # type: ignore[call-arg]


def test_what_is_made_stays_as_it_is() -> None:
    made = Shape("a")
    with pytest.raises(FrozenInstanceError):
        made.size = 4  # type: ignore[misc]
    assert replace(made, size=5) == Shape("a", 5)
    assert made == Shape("a")


def test_fields_that_need_more_are_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        size: int

        def __post_init__(self) -> None:
            raise ValueError

    with pytest.raises(AssertionError):
        quick(Checked)
