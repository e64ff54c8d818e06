"""Widths by slices, connections and branches in the graph."""

from __future__ import annotations

import pytest

from specc.cost import cost
from specc.ir.expr import Var, apply, evaluate
from specc.ir.graph import Graph, Op
from specc.passes.slices import separable, slices_of
from tests.helpers.networks import graph_of, network
from tests.helpers.sliced import sliced


def ops(graph: Graph, kind: str) -> list[Op]:
    return [op for op in graph.ops if op.kind == kind]


def test_every_width_by_slices_keeps_its_first_share() -> None:
    graph = graph_of(sliced(4))
    assert [choice.name for choice in graph.choices] == ["k"]
    table = graph.tensor_table()
    assert table["stem.conv"].features == apply("mul", Var("k"), 2)
    for k in (1, 2, 3, 4):
        widths = [evaluate(table[name].features, {"k": k}) for name in ("stem.conv", "s1.b1.conv1", "s2.b2.add")]
        assert widths == [2 * k, k, 4 * k]


def test_diagonal_blocks_are_groups() -> None:
    conv = ops(graph_of(sliced(4)), "conv")[3]
    assert conv.params.groups == Var("k")  # type: ignore[attr-defined]
    assert conv.params.full_groups == 4  # type: ignore[attr-defined]
    assert conv.connection.kind == "dense"


def test_the_networks_own_input_is_seen_wholly() -> None:
    graph = graph_of(
        "supernet a { input image(3, 8, 8); classes 10; connect triangular(4); stem { conv(8, kernel=3) }\n"
        "stage s { conv(12, kernel=3) }; head { pool(avg); linear(classes, connect=dense) } }"
    )
    assert [op.connection.kind for op in ops(graph, "conv")] == ["dense", "triangular"]
    assert ops(graph, "conv")[1].connection.blocks == 4


def test_groups_keep_their_own_structure_under_a_setting() -> None:
    graph = network("connect triangular(2); stage s { conv(16, kernel=3, groups=4); depthwise(kernel=3) }")
    assert [op.connection.kind for op in (*ops(graph, "conv"), *ops(graph, "depthwise"))] == ["dense"] * 3


@pytest.mark.parametrize("merge", ["sum", "concat"])
def test_branches_are_grouped_convolutions(merge: str) -> None:
    body = "conv(4, kernel=1); norm; relu; conv(6, kernel=3); relu; conv(10, kernel=1)"
    graph = network(f"choice k in 1..2; stage s {{ branches 4 by k {merge} {{ {body} }} }}")
    first, second, last = ops(graph, "conv")[1:]
    widths = [[evaluate(getattr(c.params, n), {"k": 1}) for n in ("inputs", "out", "groups")] for c in (first, second)]
    assert widths == [[16, 8, 1], [8, 12, 2]]
    assert evaluate(last.params.inputs, {"k": 1}) == 12  # type: ignore[attr-defined]
    assert last.params.full_groups == (1 if merge == "sum" else 4)  # type: ignore[attr-defined]
    assert last.params.full_out == (10 if merge == "sum" else 40)  # type: ignore[attr-defined]
    assert cost(graph, {"k": 2}).macs > 1.9 * (cost(graph, {"k": 1}).macs - 16 * 3 * 9 * 1024)


def test_branches_that_end_otherwise_are_summed() -> None:
    graph = network("stage s { branches 4 sum { conv(4, kernel=1); relu; conv(6, kernel=1, bias=yes); relu } }")
    (summed,) = ops(graph, "branch_sum")
    assert summed.params.size == 6  # type: ignore[attr-defined]
    assert graph.tensor_table()[summed.output].features == 6


def test_in_is_one_branchs_channels_inside() -> None:
    graph = network("stage s { branches 4 concat { conv(4, kernel=1); conv(in * 3, kernel=1) } }")
    assert ops(graph, "conv")[2].params.full_out == 48  # type: ignore[attr-defined]


def test_a_width_setting_keeps_whole_branches() -> None:
    graph = network(
        "stage s { width per_group 0.5..1.0; branches 4 sum { conv(6, kernel=1); relu; conv(8, kernel=1) } }"
    )
    assert {c.name: tuple(c.options) for c in graph.choices}["s.conv1.width"] == (12, 18, 24)


def test_which_networks_are_of_slices() -> None:
    assert separable(graph_of(sliced(4))) == "k"
    assert separable(network("stage s { conv(8, kernel=3) }")) is None
    assert slices_of(network("stage s { conv(8, kernel=3) }")) is None


@pytest.mark.parametrize(
    ("statement", "op", "reason"),
    [
        ("conv(8, kernel=1)", "s1.conv", "every output reads all slices"),
        ("conv(8, kernel=1, connect=triangular(2))", "s1.conv", "blocks are not 4 slices"),
        ("conv(8, kernel=1, groups=2)", "s1.conv", "does not come in 4 equal slices"),
        ("norm(bank=k)", "s1.norm", "a norm bank for each k"),
        ("norm layer; norm", "s1.norm", "mixes the channels"),
        ("pad_channels(16)", "s1.pad_channels", "slices=4"),
        ("when k > 2 { relu }", "s1.relu", "whether it is there depends on k"),
    ],
)
def test_what_breaks_the_promise_is_named(statement: str, op: str, reason: str) -> None:
    text = sliced(4).replace("stage s1 { sliced(8, 4) }", f"stage s1 {{ {statement} }}")
    text = text.replace(
        "sliced(16, 8, stride=2)", "conv(16, kernel=1, connect=dense)" if "pad" in statement else "relu"
    )
    text = text.replace("sliced(16, 8)", "relu")
    if "groups" in statement or "triangular" in statement:  # whole groups, whole blocks
        text = text.replace("k in 1..4", "k in {2, 4}")
    found = slices_of(graph_of(text))
    assert found is not None
    problem = next(p for p in found.problems if p.op.name == op)
    assert reason in problem.reason
