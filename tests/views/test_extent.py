"""The least and the most that sizes can be, and numbers in few characters."""

from __future__ import annotations

from fractions import Fraction

from specc.ir.choice import Range
from specc.ir.expr import Var, apply
from specc.ir.extent import Extents, choice_range, percent, short
from tests.helpers.pictures import graph


def test_sizes_are_looked_at_under_every_option() -> None:
    extents = Extents(graph("digits"))
    depth, width = Var("s1.depth"), Var("width")
    assert extents.of(7) == (7, 7)
    assert extents.of(apply("mul", apply("sub", depth, 1), apply("sub", depth, 1))) == (0, 1)
    assert extents.of(apply("mul", apply("floor", apply("mul", width, 32)), apply("add", depth, 1))) == (6, 96)
    assert extents.range(apply("floor", apply("mul", width, 32))) == "6–32"
    assert extents.of(Fraction(7, 2)) == (3, 3)
    assert Extents(graph("digits"), {"width": Fraction(1, 2)}).range(apply("mul", width, 32)) == "16"


def test_numbers_have_three_digits() -> None:
    numbers = (0, 999, 1000, 12_345, 999_499, 999_999, 4.09e9)
    assert [short(number) for number in numbers] == ["0", "999", "1.00 k", "12.3 k", "999 k", "1.00 M", "4.09 G"]


def test_shares() -> None:
    assert [percent(share) for share in (0, 1, 0.1234, 0.0996, 0.004, 0.00004)] == [
        *("0 %", "100 %", "12.3 %", "10.0 %", "0.4 %", "0.004 %")
    ]


def test_options_in_a_few_words() -> None:
    assert choice_range(Range(Fraction(1, 4), 1, Fraction(1, 8))) == "0.25–1 step 0.125"
    assert choice_range(Range(0, 2)) == "0–2"
    assert choice_range((3, 5, 7)) == "3, 5, 7"
    assert choice_range(tuple(range(0, 40, 4))) == "0, 4, … 36"
    assert choice_range(("conv3", "none")) == "conv3, none"
