"""Structure: repeats, skippables, residuals, conditions - and the names of what they make."""

from __future__ import annotations

from fractions import Fraction

from specc.ir.expr import evaluate, show
from specc.ir.graph import Graph, Scope
from tests.helpers.networks import choices, graph_of, network, reported, size_at, spec


def names(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops]


def test_one_of_a_kind_has_no_number_and_several_do() -> None:
    graph = network("stage s1 { conv(16, kernel=3); relu; conv(16, kernel=3) }")
    assert names(graph)[3:6] == ["s1.conv1", "s1.relu", "s1.conv2"]


def test_a_target_names_its_operation() -> None:
    assert "s1.wide" in names(network("stage s1 { wide = conv(32, kernel=3) }"))


def test_blocks_of_a_stage_are_numbered_and_shortcuts_say_so() -> None:
    block = "block b(out) { residual { conv(out, kernel=3) } shortcut when in != out { conv(out, kernel=1); norm } }\n"
    graph = graph_of(block + spec("stage s1 { b(32); b(32) }"))
    assert [n for n in names(graph) if n.startswith("s1")] == [
        "s1.b1.conv",
        "s1.b1.shortcut_conv",
        "s1.b1.shortcut_norm",
        "s1.b1.add",
        "s1.b2.conv",
        "s1.b2.add",
    ]


def test_a_stage_without_a_name_is_called_by_its_number() -> None:
    graph = network("stage { conv(16, kernel=3) }\n  stage { conv(16, kernel=3) }")
    assert [o.name for o in graph.outputs] == ["head", "s1", "s2"]


def test_conditions_speak_of_the_maximum() -> None:
    block = "block b(out) { residual(when in == out) { conv(out, kernel=3) } }\n"
    graph = graph_of(block + spec("stage s1 { b(16); b(32) }", "norm batch; width per_group 0.5..1.0 round 8"))
    assert "s1.b1.add" in names(graph)
    assert "s1.b2.add" not in names(graph)


def test_elastic_depth_guards_every_optional_round() -> None:
    graph = network("stage s1 { repeat 1..3 { residual { conv(16, kernel=3) } } }")
    guards = {op.name: show(op.guard) for op in graph.ops if op.kind == "conv"}
    assert choices(graph) == {"s1.depth": (1, 2, 3)}
    assert guards == {"stem.conv": "1", "s1.conv1": "1", "s1.conv2": "s1.depth >= 2", "s1.conv3": "s1.depth >= 3"}


def test_a_repeat_over_a_choice_shares_it() -> None:
    text = spec("stage s1 { repeat d { relu } }\n  stage s2 { repeat d { relu } }", "norm batch; choice d in {1, 3}")
    graph = graph_of(text)
    assert choices(graph) == {"d": (1, 3)}
    assert [show(op.guard) for op in graph.ops if op.name.startswith("s2.relu")] == ["1", "d >= 2", "d >= 3"]


def test_the_index_of_a_repeat_counts_from_zero() -> None:
    graph = network("stage s1 { repeat 3 as i { conv(16 * (i + 1), kernel=3) } }")
    assert [size_at(graph, f"s1.conv{i}", {})[0] for i in (1, 2, 3)] == [16, 32, 48]


def test_nested_skippables_need_both() -> None:
    graph = network("stage s1 { skippable a { conv(16, kernel=3); skippable b { relu } } }")
    inner = next(op for op in graph.ops if op.kind == "relu" and op.name.startswith("s1"))
    table = {(a, b): evaluate(inner.guard, {"a": a, "b": b}) for a in (0, 1) for b in (0, 1)}
    assert table == {(0, 0): 0, (0, 1): 0, (1, 0): 0, (1, 1): 1}


def test_skippables_are_named_after_their_scope() -> None:
    graph = network("stage s1 { skippable { relu } }\n  stage s2 { skippable { relu }; skippable { relu } }")
    assert list(choices(graph)) == ["s1.keep", "s2.keep1", "s2.keep2"]


def test_a_condition_over_a_choice_makes_alternatives() -> None:
    settings = "norm batch; choice op in {conv3, pool3}"
    graph = network("stage s1 { when op == conv3 { conv(16, kernel=3) } else { maxpool(3, stride=1) } }", settings)
    guards = {op.kind: op.guard for op in graph.ops if op.name.startswith("s1")}
    assert evaluate(guards["conv"], {"op": "conv3"})
    assert not evaluate(guards["conv"], {"op": "pool3"})
    assert evaluate(guards["maxpool"], {"op": "pool3"})
    assert not evaluate(guards["maxpool"], {"op": "conv3"})
    assert guards["select"] == 1


def test_a_condition_that_no_option_changes_leaves_no_trace() -> None:
    block = "block b(expand) { when expand != 1 { conv(in * expand, kernel=1) }; conv(16, kernel=1) }\n"
    graph = graph_of(block + spec("stage s1 { b(expand={3, 4, 6}) }"))
    assert not [op for op in graph.ops if op.kind == "select"]
    assert choices(graph) == {"s1.b1.expand": (3, 4, 6)}
    assert size_at(graph, "s1.b1.conv1", {"s1.b1.expand": 4})[0] == 64


def test_elastic_kernels_keep_the_size() -> None:
    graph = network("stage s1 { conv(16, kernel={3, 5, 7}, stride=2) }")
    assert graph.tensor_table()["s1.conv"].space == (16, 16)
    assert choices(graph) == {"s1.conv.kernel": (3, 5, 7)}


def test_resolution_runs_through_strides() -> None:
    graph = network("stage s1 { conv(16, kernel=3, stride=2) }", inputs="image(3, resolution=20..32 step 4)")
    assert [size_at(graph, "s1.conv", {"resolution": r})[1] for r in (20, 24, 28, 32)] == [10, 12, 14, 16]


def test_a_fresh_choice_is_made_anew_in_every_round() -> None:
    graph = network("stage s1 { repeat 2 { conv(16, kernel={3, 5}) } }")
    assert list(choices(graph)) == ["s1.conv1.kernel", "s1.conv2.kernel"]


def test_a_let_evaluates_its_choice_once() -> None:
    graph = network("stage s1 { let k = {3, 5}; conv(16, kernel=k); conv(16, kernel=k) }")
    assert choices(graph) == {"s1.k": (3, 5)}


def test_params_are_overridden() -> None:
    text = spec("stage s1 { conv(divisible(32 * m, 8), kernel=3) }", "norm batch; param m = 1.0")
    assert size_at(graph_of(text, m="1.4"), "s1.conv", {})[0] == 48


def test_names_are_looked_up_in_the_block_s_own_file_scope() -> None:
    text = "let c = 24\nblock b(n = c) { conv(n, kernel=3) }\n" + spec("stage s1 { b }")
    assert size_at(graph_of(text), "s1.b1.conv", {})[0] == 24


def test_a_default_may_use_earlier_parameters_and_in() -> None:
    text = "block b(width, out = 4 * width, mid = in) { conv(mid, kernel=1); conv(out, kernel=1) }\n"
    graph = graph_of(text + spec("stage s1 { b(8) }"))
    assert [size_at(graph, f"s1.b1.conv{i}", {})[0] for i in (1, 2)] == [16, 32]


def test_a_word_names_an_operator() -> None:
    text = "block b(act=relu) { conv(16, kernel=3); act }\n" + spec("stage s1 { b; b(act=hswish) }")
    assert [op.kind for op in graph_of(text).ops if op.name.startswith("s1")] == ["conv", "relu", "conv", "hswish"]


def test_scopes_mirror_the_spec() -> None:
    graph = graph_of("block b { relu }\n" + spec("stage s1 { skippable { b } }"))
    stage = next(s for s in graph.root.items if isinstance(s, Scope) and s.name == "s1")
    region = stage.items[0]
    assert isinstance(region, Scope)
    assert region.kind == "region"
    assert show(region.guard) == "s1.keep"
    block = region.items[0]
    assert isinstance(block, Scope)
    assert (block.kind, block.block, block.path) == ("block", "b", "s1.b1")


def test_dropout_keeps_its_exact_rate() -> None:
    (op,) = (op for op in network("stage s1 { dropout(0.2) }").ops if op.kind == "dropout")
    assert op.params.rate == Fraction(1, 5)  # type: ignore[attr-defined]


def test_shape_changes_in_a_skippable_show_both_shapes() -> None:
    assert reported(spec("stage s1 { skippable { conv(32, kernel=3) } }")) == ["changes-shape"]
    assert reported(spec("stage s1 { repeat 0..2 { conv(16, kernel=3, stride=2) } }")) == ["changes-shape"] * 1


def test_sums_that_do_not_fit() -> None:
    assert reported(spec("stage s1 { residual { conv(32, kernel=3) } }")) == ["channel-mismatch"]
    assert reported(spec("stage s1 { residual { conv(16, kernel=3, stride=2) } }")) == ["size-mismatch"]


def test_one_mistake_is_one_diagnostic() -> None:
    assert reported(spec("stage s1 { linear(5) }")) == ["needs-vector"]
    assert reported(spec("stage s1 { pool(avg); conv(16, kernel=3); conv(16, kernel=3) }")) == ["needs-feature-map"]
    assert reported(spec("stage s1 { residual { conv(0, kernel=3) } }")) == ["bad-size"]
    assert reported(spec("stage s1 { skippable { conv(0, kernel=3) } }")) == ["bad-size"]


def test_specs_without_end_are_refused_at_once() -> None:
    assert reported(spec("stage s1 { repeat 100000 { repeat 100000 { relu } } }")) == ["network-too-large"]
    assert reported(spec("stage s1 { repeat 100000 { repeat 100000 { } } }")) == ["network-too-large"]
    doubling = "".join(f"block b{i} {{ b{i + 1}; b{i + 1} }}\n" for i in range(40)) + "block b40 { relu }\n"
    assert reported(doubling + spec("stage s1 { b0 }")) == ["network-too-large"]
    chain = "".join(f"block b{i} {{ residual {{ b{i + 1} }} }}\n" for i in range(300)) + "block b300 { relu }\n"
    assert reported(chain + spec("stage s1 { b0 }")) == ["network-too-large"]


def test_expressions_without_end_are_refused_at_once() -> None:
    doubling = "norm batch; choice k in 1..2; let a0 = k; " + "; ".join(
        f"let a{i} = a{i - 1} + a{i - 1}" for i in range(1, 25)
    )
    assert reported(spec("stage s1 { conv(min(a24, 16), kernel=3) }", doubling)) == ["bad-arithmetic"]
    chain = "norm batch; choice k in 1..2; let a0 = k; " + "; ".join(f"let a{i} = a{i - 1} * k" for i in range(1, 3000))
    assert reported(spec("stage s1 { conv(16, kernel=3) }", chain))[0] == "bad-arithmetic"


def test_long_chains_of_sums_stay_flat() -> None:
    graph = network(
        "stage s1 { repeat 500 { conv(in + 1, kernel=1) } }", "norm batch; width per_group 0.5..1.0 round 8"
    )
    assert size_at(graph, "s1.conv500", {"stem.conv.width": 8})[0] == 508


def test_a_name_given_again_is_numbered() -> None:
    assert names(network("stage s1 { a = relu; a = relu }"))[3:5] == ["s1.a1", "s1.a2"]
    assert names(network("stage s1 { repeat 3 { a = relu } }"))[3:6] == ["s1.a1", "s1.a2", "s1.a3"]
    assert reported(spec("stage s1 { relu }", "norm batch; classes 10")) == ["misplaced"]


def test_a_scope_without_operations_leaves_no_trace() -> None:
    graph = network("stage s1 { }\n  stage s2 { repeat 0 { relu } }\n  stage s3 { relu }")
    assert [s.name for s in graph.root.items if isinstance(s, Scope)] == ["stem", "s3", "head"]
    assert [o.name for o in graph.outputs] == ["head", "s3"]
