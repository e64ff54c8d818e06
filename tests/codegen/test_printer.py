"""Expressions as Python: what is printed has the value of the expression, and no brackets that say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.codegen.model.render import condition, size_text
from specc.ir.expr import Apply, Expr, Var, apply, evaluate
from specc.python.expressions import ATOM, SUM, Text, constant, infix, joined, prefix, product
from specc.python.layout import WIDTH, stepwise
from specc.runtime.net import sizes
from specc.space import functions
from specc.subnets.expr_text import size_text as space_text

A, B, C = Var("a"), Var("b"), Var("c")
NUMBERS: Final = st.sampled_from((A, B, C, -3, 0, 1, 2, 7, Fraction(7, 20)))
COMPARISONS: Final = ("eq", "ne", "lt", "le", "gt", "ge")


def of(names: tuple[str, ...], *args: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.builds(apply, st.sampled_from(names), *args)


def larger(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    asked = of(COMPARISONS, inner, inner)
    both = st.one_of(asked, of(("and", "or"), asked, asked), of(("not",), asked))
    quotient = of(("div",), inner, st.integers(2, 5))
    return st.one_of(
        of(("add", "sub", "mul", "min", "max"), inner, inner),
        of(("floor", "ceil", "round"), st.one_of(inner, quotient)),
        of(("if",), both, inner, inner),
        quotient,
        both,
    )


EXPRESSIONS: Final = st.recursive(NUMBERS, larger, max_leaves=8).filter(lambda e: isinstance(e, Apply))
AT: Final[Mapping[str, int | Fraction]] = {"a": 2, "b": 5, "c": Fraction(7, 20)}
FEW: Final = settings(max_examples=60, deadline=None, derandomize=True)


def named(expr: Expr) -> Text | None:
    return (expr.choice, ATOM) if isinstance(expr, Var) else None


def in_space(expr: Expr) -> Text:
    return space_text(expr, in_space) if isinstance(expr, Apply) else named(expr) or constant(expr)  # type: ignore[arg-type]


def value(size: Any) -> Any:
    """A size of the runtime, evaluated by its own table of functions."""
    if isinstance(size, sizes.OneOf):
        return AT[size.name]
    return sizes.APPLIED[size.function](*map(value, size.args)) if isinstance(size, sizes.Applied) else size


@FEW
@given(EXPRESSIONS)
def test_conditions_have_the_value_of_their_expression(expr: Expr) -> None:
    home: dict[str, Any] = {"Fraction": Fraction, "half_up": functions.round_half_up, **AT}
    assert eval(condition(expr, str), home) == evaluate(expr, AT)


@FEW
@given(EXPRESSIONS)
def test_costs_have_the_value_of_their_expression(expr: Expr) -> None:
    home: dict[str, Any] = {"Fraction": Fraction, **vars(functions), **AT}
    assert eval(in_space(expr)[0], home) == evaluate(expr, AT)


@FEW
@given(EXPRESSIONS)
def test_sizes_have_the_value_of_their_expression(expr: Expr) -> None:
    choices = {name: sizes.OneOf(1, 2, name=name) for name in AT}
    assert value(eval(size_text(expr, named)[0], {"Fraction": Fraction, **vars(sizes), **choices})) == evaluate(
        expr, AT
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (infix("-", ("a", ATOM), ("b - c", SUM)), "a - (b - c)"),
        (joined("+", [("a", ATOM), ("b - c", SUM)]), "a + b - c"),
        (infix("//", ("a", ATOM), infix("*", ("b", ATOM), ("c", ATOM))), "a // (b * c)"),
        (infix("//", infix("*", ("b", ATOM), ("c", ATOM)), ("a", ATOM)), "b * c // a"),
        (infix("*", infix("//", ("b", ATOM), ("c", ATOM)), ("a", ATOM)), "(b // c) * a"),
        (infix("==", infix("<", ("a", ATOM), ("b", ATOM)), ("c", ATOM)), "(a < b) == c"),
        (prefix("not", joined("and", [("a", ATOM), ("b", ATOM)])), "not (a and b)"),
        (joined("and", [prefix("not", ("a", ATOM)), ("b", ATOM)]), "not a and b"),
        (prefix("~", infix("==", ("a", ATOM), ("b", ATOM))), "~(a == b)"),
        (product([("a", ATOM), ("2", ATOM), ("b + 1", SUM)]), "2 * a * (b + 1)"),
    ],
)
def test_brackets_stand_where_they_are_needed(text: Text, expected: str) -> None:
    assert text[0] == expected


def test_a_choice_of_sizes_is_the_arguments_of_if_in_their_order() -> None:
    expr = Apply("if", (Apply("ge", (A, 2)), B, C))
    assert condition(expr, str) == "b if a >= 2 else c"
    assert size_text(expr, named)[0] == "pick(a >= 2, b, c)"


def test_long_conditions_take_several_lines() -> None:
    words = [f"choice_{n} == {n}" for n in range(12)]
    lines = stepwise("there", words, "and")
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH
    home: dict[str, Any] = {f"choice_{n}": n for n in range(12)}
    for changed, expected in ((0, True), (1, False)):
        names = {**home, "choice_11": 11 + changed}
        exec("\n".join(lines), names)
        assert names["there"] is expected
