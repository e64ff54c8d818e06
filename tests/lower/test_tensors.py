"""Named tensors: `a = ..`, `from=`, `here`, calls in a tensor's place, names given anew, several inputs."""

from __future__ import annotations

from specc.ir.graph import Graph, Op
from tests.helpers.networks import graph_of, network, spec


def op(graph: Graph, name: str) -> Op:
    return next(op for op in graph.ops if op.name == name)


def test_from_reads_a_named_tensor_and_a_statement_follows_the_one_before() -> None:
    graph = network("stage s1 { a = conv(16, kernel=3); b = conv(16, kernel=5, from=stem); residual { relu(from=a) } }")
    assert op(graph, "s1.b").inputs == ("stem.relu",)
    assert op(graph, "s1.relu").inputs == ("s1.a",)
    assert op(graph, "s1.add").inputs == ("s1.relu", "s1.b")


def test_in_counts_the_channels_of_the_tensor_that_is_read() -> None:
    graph = network("stage s1 { a = conv(24, kernel=3); conv(16, kernel=1); conv(in * 2, kernel=1, from=a) }")
    assert op(graph, "s1.conv2").params.out == 48  # type: ignore[attr-defined]


def test_rounds_of_a_repeat_carry_a_tensor_by_giving_its_name_again() -> None:
    graph = network("stage s1 { h = conv(16, kernel=1); repeat 3 { relu; h = sigmoid(from=h) }; tanh(from=h) }")
    assert op(graph, "s1.h2").inputs == ("s1.h1",)
    assert op(graph, "s1.h3").inputs == ("s1.h2",)
    assert op(graph, "s1.tanh").inputs == ("s1.h4",)


def test_a_name_given_anew_in_a_skippable_is_a_select_after_it() -> None:
    graph = network("stage s1 { h = conv(16, kernel=3); skippable { h = conv(16, kernel=3); relu }; sigmoid(from=h) }")
    (joined,) = op(graph, "s1.sigmoid").inputs
    assert op(graph, joined).kind == "select"
    assert op(graph, joined).inputs == ("s1.h2", "s1.h1")


def test_both_sides_of_a_choice_may_give_a_name() -> None:
    graph = network(
        "stage s1 { choice op in {one, two}; "
        "when op == one { a = conv(16, kernel=3) } else { a = conv(16, kernel=5) }; relu(from=a) }"
    )
    (joined,) = op(graph, "s1.relu").inputs
    assert op(graph, joined).inputs == ("s1.a1", "s1.a2")


def test_tensors_are_arguments_of_blocks() -> None:
    block = "block second(first, other) { relu(from=other) }\n"
    graph = graph_of(block + spec("stage s1 { a = conv(16, kernel=3); second(here, other=stem) }"))
    assert op(graph, "s1.b1.relu").inputs == ("stem.relu",)


def test_several_inputs_are_read_by_name() -> None:
    graph = graph_of(
        "supernet two { input left image(1, 8, 8); input right image(3, 8, 8); classes 10\n"
        "stem { a = conv(8, kernel=3, from=left); conv(8, kernel=3, from=right); residual { relu(from=a) } }\n"
        "head { pool(avg); linear(classes) } }\nmethod independent(subnets=[max])"
    )
    assert graph.inputs == ("left", "right")
    assert op(graph, "stem.a").inputs == ("left",)
    assert op(graph, "stem.conv").inputs == ("right",)
