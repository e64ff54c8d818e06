"""Passes: banks, partial evaluation, dead code, verification."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from specc.ir.expr import Var, evaluate
from specc.ir.graph import Graph, Op
from specc.passes.specialise import specialise
from specc.passes.verify import BrokenGraph, verify
from tests.helpers.networks import assignments, graph_of, network, reported, size_at, spec

BANKS_BY_SKIP = "stage s1 { norm batch(bank=skip); conv(16, kernel=3); norm; skippable { conv(16, kernel=3); norm } }"
LISTED = "method independent(subnets=[max, at(width=0.5), min])"


def op(graph: Graph, name: str) -> Op:
    return next(o for o in graph.ops if o.name == name)


def test_a_norm_outside_the_skippable_has_a_bank_for_each_state() -> None:
    graph = graph_of(spec(BANKS_BY_SKIP))
    assert (op(graph, "s1.norm1").bank.count, op(graph, "s1.norm1").bank.index) == (2, Var("s1.keep"))


def test_a_norm_inside_the_skippable_has_the_one_bank_it_can_reach() -> None:
    graph = graph_of(spec(BANKS_BY_SKIP))
    assert (op(graph, "s1.norm2").bank.count, op(graph, "s1.norm2").bank.index) == (1, 0)


def test_bank_skip_needs_exactly_one_skippable() -> None:
    two = "stage s1 { norm(bank=skip); skippable { relu }; skippable { relu } }"
    assert reported(spec(two)) == ["bank-needs-one-skippable"]
    assert reported(spec("stage s1 { norm(bank=skip) }")) == ["bank-needs-one-skippable"]


def test_banks_by_a_choice_declared_later() -> None:
    graph = network("stage s1 { norm(bank=late) }\n  stage s2 { skippable late { relu } }")
    assert op(graph, "s1.norm").bank.index == Var("late")


def test_banks_by_width_have_one_for_each_option() -> None:
    graph = network("stage s1 { norm(bank=width) }", "norm batch; width uniform {0.25, 0.5, 1.0} round 4")
    bank = op(graph, "s1.norm").bank
    widths = graph.choices[0].options
    assert [evaluate(bank.index, {"width": w}) for w in widths] == [0, 1, 2]
    assert reported(spec("stage s1 { norm(bank=width) }", "norm batch; width per_group 0.5..1.0")) == [
        "bank-needs-one-width"
    ]


def test_banks_by_listed_sub_network() -> None:
    settings = "norm batch; width uniform {0.25, 0.5, 1.0} round 4"
    graph = network("stage s1 { norm(bank=subnet) }", settings, rest=LISTED)
    bank = op(graph, "s1.norm").bank
    low, middle, high = graph.choices[0].options
    assert bank.count == 3
    assert [evaluate(bank.index, {"width": w}) for w in (high, middle, low)] == [0, 1, 2]
    assert reported(spec("stage s1 { norm(bank=subnet) }", settings)) == ["bank-needs-listed-subnets"]


@pytest.mark.parametrize("method", ["adn", "us_net(subnets=2)"])
def test_banks_under_any_method_that_lists_sub_networks(method: str) -> None:
    """One for the largest, one for the smallest; whatever lies between normalises as the largest does."""
    skips = "skippable a { conv(16, kernel=3) }; skippable b { conv(16, kernel=3) }"
    graph = network(f"stage s1 {{ norm(bank=subnet); {skips} }}", rest=f"method {method}")
    bank = op(graph, "s1.norm").bank
    assert bank.count == 2
    found = {(a, b): evaluate(bank.index, {"a": a, "b": b}) for a in (0, 1) for b in (0, 1)}
    assert found == {(1, 1): 0, (1, 0): 0, (0, 1): 0, (0, 0): 1}
    drawn = spec(f"stage s1 {{ norm(bank=subnet); {skips} }}", rest="method us_net(subnets=3)")
    assert reported(drawn) == ["bank-needs-listed-subnets"]


SHARES = "method independent(subnets=[max, at(width=0.7), at(width=0.35)])"


@pytest.mark.parametrize("bank", ["subnet", "width"])
def test_a_width_that_is_not_listed_uses_the_norms_of_the_next_larger_that_is(bank: str) -> None:
    """AWN's protocol: the least listed share that is not below it."""
    settings = "norm batch; width uniform 0.35..1.0 step 0.05 round 1"
    found = op(network(f"stage s1 {{ norm(bank={bank}) }}", settings, rest=SHARES), "s1.norm").bank
    low, middle, high = (2, 1, 0) if bank == "subnet" else (0, 1, 2)
    assert found.count == 3
    for hundredths in range(35, 101, 5):
        wanted = low if hundredths <= 35 else middle if hundredths <= 70 else high
        assert evaluate(found.index, {"width": Fraction(hundredths, 100)}) == wanted


def test_widths_above_all_that_are_listed_use_the_largest() -> None:
    few = "method independent(subnets=[at(width=0.25), at(width=0.5)])"
    for bank in ("subnet", "width"):
        graph = network(f"stage s1 {{ norm(bank={bank}) }}", "norm batch; width uniform {0.25, 0.5, 1.0}", rest=few)
        widths = graph.choices[0].options
        assert [evaluate(op(graph, "s1.norm").bank.index, {"width": w}) for w in widths] == [0, 1, 1]


def test_banks_of_listed_sub_networks_of_several_choices() -> None:
    """Each has its own; any other that of the least that is not below it in any choice, by brute force."""
    listed = "max, at(late=no, width=0.5), at(width=0.5), min"
    graph = network(
        "stage s1 { norm(bank=subnet) }\n  stage s2 { skippable late { relu } }",
        "norm batch; width uniform {0.25, 0.5, 0.75, 1.0}",
        rest=f"method independent(subnets=[{listed}])",
    )
    bank = op(graph, "s1.norm").bank
    rows = [(1, Fraction(1)), (0, Fraction(1, 2)), (1, Fraction(1, 2)), (0, Fraction(1, 4))]
    for late in (0, 1):
        for width in graph.choice_table()["width"].options:
            assert isinstance(width, (int, Fraction))
            covering = [row for row in rows if row[0] >= late and row[1] >= width]
            least = min(covering, key=lambda row: row[0] + 4 * row[1])
            assert evaluate(bank.index, {"late": late, "width": width}) == rows.index(least)


def test_banks_of_which_only_one_would_be_trained_are_one() -> None:
    graph = network(
        "stage s1 { norm(bank=width) }\n  stage s2 { skippable late { relu } }",
        "norm batch; width uniform {0.5, 1.0}",
        rest="method independent(subnets=[max, at(late=no)])",
    )
    assert op(graph, "s1.norm").bank.count == 1


def test_bind_leaves_a_static_network() -> None:
    stages = "stage s1 { conv(32, kernel=3); repeat 0..2 { residual { conv(in * 2, kernel=1); conv(32, kernel=1) } } }"
    graph = network(stages, "norm batch; width per_group 0.5..1.0 round 8")
    for assignment in assignments(graph):
        static = specialise(graph, assignment)
        assert static.choices == ()
        assert all(o.guard == 1 and o.kind != "select" for o in static.ops)
        assert size_at(static, "s1.conv1", {}) == size_at(graph, "s1.conv1", assignment)
        convolution = op(static, "stem.conv").params
        assert convolution.full_out == convolution.out == assignment["stem.conv.width"]  # type: ignore[attr-defined]
        depth = assignment["s1.depth"]
        assert sum(o.kind == "add" for o in static.ops) == depth


def test_bind_may_leave_choices_open() -> None:
    graph = network("stage s1 { skippable a { relu }; skippable b { relu } }")
    part = specialise(graph, {"a": 1})
    assert [c.name for c in part.choices] == ["b"]
    assert [o.kind for o in part.ops if o.name.startswith("s1")] == ["relu", "relu", "select"]


def test_bind_keeps_the_bank_in_use_only() -> None:
    graph = graph_of(spec(BANKS_BY_SKIP))
    static = specialise(graph, {"s1.keep": 0})
    assert op(static, "s1.norm1").bank.count == 1


def test_a_choice_that_nothing_reads_is_dropped() -> None:
    assert network("stage s1 { relu }", "norm batch; choice k in 1..3").choices == ()


def test_verify_finds_a_broken_graph() -> None:
    graph = network("stage s1 { relu }")
    with pytest.raises(BrokenGraph, match=r"reads stem\.conv, which is not written"):
        verify(replace(graph, ops=graph.ops[1:]), after="a test")
    ghost = replace(graph, ops=(replace(graph.ops[0], guard=Var("ghost")), *graph.ops[1:]))
    with pytest.raises(BrokenGraph, match="ghost"):
        verify(ghost, after="a test")
