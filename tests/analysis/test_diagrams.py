"""Conditions have one form, whatever they are written as."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from specc.activity.diagrams import FALSE, TRUE, Diagrams
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Var, evaluate
from specc.subnets.conditions import as_expr
from tests.helpers.graphs import HERE

CHOICES = (
    Choice("keep", (0, 1), "skip", HERE),
    Choice("depth", (2, 3, 4), "depth", HERE),
    Choice("op", ("a", "b", "c"), "operator", HERE),
)
ATOMS: tuple[Expr, ...] = (
    Var("keep"),
    *(Apply(function, (Var("depth"), n)) for function in ("ge", "eq", "lt") for n in (2, 3, 4)),
    *(Apply("eq", (Var("op"), word)) for word in "abc"),
)


def conditions() -> st.SearchStrategy[Expr]:
    def deeper(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        pairs = st.tuples(inner, inner)
        return st.one_of(
            st.builds(Apply, st.sampled_from(("and", "or")), pairs),
            st.builds(Apply, st.just("not"), st.tuples(inner)),
            st.builds(Apply, st.just("if"), st.tuples(inner, inner, inner)),
        )

    return st.recursive(st.sampled_from((0, 1, *ATOMS)), deeper, max_leaves=12)


@settings(deadline=None, derandomize=True)
@given(conditions(), conditions())
def test_equal_conditions_are_one_node(a: Expr, b: Expr) -> None:
    diagrams = Diagrams(CHOICES)
    table = {name: [truth(expr, full) for full in combinations()] for name, expr in (("a", a), ("b", b))}
    nodes = (diagrams.of(a), diagrams.of(b))
    assert (nodes[0] == nodes[1]) == (table["a"] == table["b"])
    assert [diagrams.at(nodes[0], full) for full in combinations()] == table["a"]


@settings(deadline=None, derandomize=True)
@given(conditions())
def test_terms_say_the_same_with_nothing_to_spare(expr: Expr) -> None:
    diagrams = Diagrams(CHOICES)
    node = diagrams.of(expr)
    terms = diagrams.terms(node)
    assert diagrams.disjunction(terms) == node
    for at in range(len(terms)):
        assert diagrams.disjunction(terms[:at] + terms[at + 1 :]) != node
    again = as_expr(diagrams, terms)
    assert [truth(again, full) for full in combinations()] == [truth(expr, full) for full in combinations()]


@settings(deadline=None, derandomize=True)
@given(conditions())
def test_ignoring_a_choice_asks_for_some_option(expr: Expr) -> None:
    diagrams = Diagrams(CHOICES)
    somewhere = diagrams.ignoring(diagrams.of(expr), 1)
    for full in combinations():
        expected = any(truth(expr, {**full, "depth": depth}) for depth in (2, 3, 4))
        assert diagrams.at(somewhere, full) == expected


def combinations() -> list[dict[str, int | str]]:
    return [dict(zip(("keep", "depth", "op"), row, strict=True)) for row in product((0, 1), (2, 3, 4), "abc")]


def truth(expr: Expr, full: dict[str, int | str]) -> bool:
    return bool(evaluate(expr, full))


def test_thousands_of_choices_need_no_recursion() -> None:
    choices = tuple(Choice(f"k{n}", (0, 1), "skip", HERE) for n in range(3000))
    diagrams = Diagrams(choices)
    node = FALSE
    for at in reversed(range(3000)):
        node = diagrams.either(diagrams.literal(at, (1,)), node)
    assert len(diagrams.terms(node)) == 3000
    deep: Expr = 1
    for choice in choices[:300]:
        deep = Apply("and", (deep, Var(choice.name)))
    assert len(diagrams.terms(diagrams.of(deep))[0]) == 300
    assert diagrams.either(node, diagrams.negate(node)) == TRUE
