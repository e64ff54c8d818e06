"""The importance view: which feature maps there are and what joins them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from specc.ir.expr import show
from specc.passes.importance_view import View, importance_view
from specc.pipeline import load
from tests.helpers.folders import SPECS
from tests.helpers.importance import all_paths
from tests.helpers.networks import network

ALL = sorted(SPECS.glob("*.specc"))


def rows(view: View) -> dict[str, tuple[str, str, str]]:
    """Source, target and guard by edge."""
    return {e.name: (view.nodes[e.source], view.nodes[e.target], show(e.guard)) for e in view.edges}


def stage(text: str) -> dict[str, tuple[str, str, str]]:
    """The edges of a stage between a stem and a head."""
    found = rows(importance_view(network(f"stage s1 {{ {text} }}")))
    return {name: row for name, row in found.items() if name.startswith("s1.")}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_views_of_specs_are_sound(path: Path) -> None:
    graph = load(path).graph
    view = importance_view(graph)
    tensors = graph.tensor_table()
    assert len(set(view.nodes)) == len(view.nodes)
    assert all(name in tensors for name in view.nodes)
    assert len({edge.name for edge in view.edges}) == len(view.edges)
    assert all(edge.source < edge.target for edge in view.edges)
    assert max(Counter((edge.source, edge.target) for edge in view.edges).values()) == 1
    assert {edge.target for edge in view.edges} == set(range(len(view.nodes))) - set(view.firsts)
    assert {edge.source for edge in view.edges} == set(range(len(view.nodes))) - set(view.lasts)
    named = [name for edge in view.edges for name in edge.ops]
    weighted = [op.name for op in graph.ops if op.kind in ("conv", "depthwise", "linear", "pool", "maxpool")]
    assert set(weighted) <= set(named)


@pytest.mark.parametrize(
    ("spec", "nodes"),
    [
        ("mobilenet_v2", 55),
        ("mobilenet_v2_tips", 55),
        ("mobilenet_v1", 30),
        ("resnet18", 21),
        ("efficientnet_b0", 52),
        ("resnet34_tips", 37),
        ("resnet50", 53),
        ("resnet50_adn", 53),
        ("mlp80_tips", 83),
    ],
)
def test_numbers_of_feature_maps(spec: str, nodes: int) -> None:
    assert len(importance_view(load(SPECS / f"{spec}.specc").graph).nodes) == nodes


def test_a_residual_is_an_edge_from_input_to_output_and_stays_when_skipped() -> None:
    assert stage("skippable { residual { conv(16, kernel=3); norm; relu; conv(16, kernel=3); norm }; relu }") == {
        "s1.conv1": ("stem.relu", "s1.relu1", "s1.keep"),
        "s1.conv2": ("s1.relu1", "s1.relu2", "s1.keep"),
        "s1.add#2": ("stem.relu", "s1.relu2", "1"),
    }


def test_a_projection_is_the_edge_around_its_block() -> None:
    found = stage("residual { conv(32, kernel=3); relu; conv(32, kernel=3) } shortcut { conv(32, kernel=1); norm }")
    assert found == {
        "s1.conv1": ("stem.relu", "s1.relu", "1"),
        "s1.conv2": ("s1.relu", "s1.add", "1"),
        "s1.shortcut_conv": ("stem.relu", "s1.add", "1"),
    }


def test_nothing_is_contracted_where_that_would_double_an_edge() -> None:
    assert stage("residual { conv(16, kernel=3) }") == {
        "s1.conv": ("stem.relu", "s1.conv", "1"),
        "s1.add#1": ("s1.conv", "s1.add", "1"),
        "s1.add#2": ("stem.relu", "s1.add", "1"),
    }


def test_a_skippable_without_identity_has_a_way_around_iff_skipped() -> None:
    assert stage("skippable { conv(16, kernel=3); relu; conv(16, kernel=1) }") == {
        "s1.conv1": ("stem.relu", "s1.relu", "s1.keep"),
        "s1.conv2": ("s1.relu", "s1.conv2", "s1.keep"),
        "s1.select#2": ("stem.relu", "s1.conv2", "not s1.keep"),
    }


def test_a_skippable_of_one_operation_keeps_both_its_edges_apart() -> None:
    assert stage("skippable { conv(16, kernel=3) }") == {
        "s1.conv": ("stem.relu", "s1.conv", "s1.keep"),
        "s1.select#1": ("s1.conv", "s1.select", "1"),
        "s1.select#2": ("stem.relu", "s1.select", "not s1.keep"),
    }


def test_several_residual_blocks_in_one_skippable() -> None:
    block = "residual { conv(16, kernel=3); relu; conv(16, kernel=3) }"
    found = stage(f"skippable {{ {block}; {block} }}")
    assert "s1.select#2" not in found
    assert found["s1.add1#2"] == ("stem.relu", "s1.add1", "1")
    assert found["s1.add2#2"] == ("s1.add1", "s1.add2", "1")


def test_optional_rounds_and_branches_are_droppable_too() -> None:
    found = stage("repeat 0..2 { residual { conv(16, kernel=3); relu; conv(16, kernel=3) } }")
    assert [row[2] for row in found.values()] == ["s1.depth >= 1"] * 2 + ["1"] + ["s1.depth >= 2"] * 2 + ["1"]
    found = stage("skippable a { conv(16, kernel=1); skippable { conv(16, kernel=3); conv(16, kernel=3) } }")
    assert found["s1.select1#2"] == ("s1.conv1", "s1.conv3", "a and not s1.keep")
    assert found["s1.select2#2"] == ("stem.relu", "s1.conv3", "not a")


def test_norms_before_a_convolution_belong_to_it() -> None:
    found = importance_view(
        network("stage s1 { residual { norm; relu; conv(16, kernel=3); norm; relu; conv(16, kernel=3) } }")
    )
    assert rows(found)["s1.conv1"][:2] == ("stem.relu", "s1.relu2")
    assert rows(found)["s1.add#2"][:2] == ("stem.relu", "s1.add")
    table = {edge.name: edge.ops for edge in found.edges}
    assert table["s1.conv1"] == ("s1.conv1", "s1.norm2", "s1.relu2")
    assert table["stem.conv"] == ("stem.conv", "stem.norm", "stem.relu", "s1.norm1", "s1.relu1")


EXCITED = "conv(32, kernel=1); norm; relu; scale(here, excitation(32, squeeze=8)); conv(16, kernel=1); norm"


def excited(text: str) -> View:
    return importance_view(network(f"stage s1 {{ {text} }}", rest="import std.squeeze_excite"))


def test_squeeze_excite_folds_into_its_convolution() -> None:
    view = excited(f"residual {{ {EXCITED} }}")
    assert rows(view) == {
        "stem.conv": ("input", "stem.relu", "1"),
        "s1.conv1": ("stem.relu", "s1.scale", "1"),
        "s1.conv2": ("s1.scale", "s1.add", "1"),
        "s1.add#2": ("stem.relu", "s1.add", "1"),
        "head.pool": ("s1.add", "head.pool", "1"),
        "head.linear": ("head.pool", "head.linear", "1"),
    }
    gate = ("pool", "linear1", "relu", "linear2", "sigmoid")
    inside = ("s1.norm1", "s1.relu", *(f"s1.b1.{op}" for op in gate), "s1.scale")
    assert {edge.name: edge.ops for edge in view.edges}["s1.conv1"] == ("s1.conv1", *inside)


def test_squeeze_excite_may_be_skipped_with_its_block() -> None:
    whole = rows(excited(f"skippable {{ residual {{ {EXCITED} }} }}"))
    assert whole["s1.conv1"] == ("stem.relu", "s1.scale", "s1.keep")
    assert whole["s1.add#2"] == ("stem.relu", "s1.add", "1")
    assert not any("b1" in name or "scale" in name for name in whole)


def test_two_gates_on_one_map_both_belong_to_it() -> None:
    view = excited("conv(16, kernel=3); repeat 2 { scale(here, excitation(16, squeeze=4)) }; conv(16, kernel=1)")
    assert rows(view)["s1.conv1"][1] == rows(view)["s1.conv2"][0] == "s1.scale2"


def test_a_gate_of_another_map_is_an_operand() -> None:
    found = stage("a = conv(16, kernel=3); b = conv(16, kernel=1, from=stem); g = pool(avg, from=a); scale(b, g)")
    assert found == {
        "s1.a": ("stem.relu", "s1.a", "1"),
        "s1.b": ("stem.relu", "s1.scale", "1"),
        "s1.g": ("s1.a", "s1.scale", "1"),
    }


def test_a_gate_that_is_read_elsewhere_too_is_an_operand() -> None:
    found = stage("a = conv(16, kernel=3); g = pool(avg); h = linear(16); scale(a, g); scale(here, h)")
    assert {"s1.g", "s1.h"} <= set(found)


def test_branches_of_a_choice_end_at_one_map() -> None:
    two = "conv(16, kernel=3); relu; conv(16, kernel=3)"
    text = f"choice m in {{1, 2}}; stage s1 {{ when m == 1 {{ {two} }} else {{ conv(16, kernel=1) }} }}"
    found = rows(importance_view(network(text)))
    assert found["s1.conv2"] == ("s1.relu", "s1.select", "m == 1")
    assert found["s1.conv3"] == ("stem.relu", "s1.select", "not m == 1")
    assert not any("#" in name for name in found)


def test_every_head_and_exit_is_a_last_node() -> None:
    graph = network("stage s1 { conv(16, kernel=3); relu }; stage s2 { conv(16, kernel=3); relu }")
    exits = tuple(replace(output, kind="exit") if output.name == "s1" else output for output in graph.outputs)
    view = importance_view(graph.with_(outputs=exits))
    assert [view.nodes[last] for last in view.lasts] == ["head.linear", "s1.relu"]
    assert {path[-1] for path in all_paths(view)} == {edge_to(view, "head.linear"), edge_to(view, "s1.relu")}


def test_every_input_is_a_first_node() -> None:
    graph = network("stage s1 { residual { conv(16, kernel=3); relu; conv(16, kernel=3) } }")
    second = replace(graph.tensor_table()["stem.relu"], name="second")
    ops = tuple(replace(op, inputs=(op.inputs[0], "second")) if op.kind == "add" else op for op in graph.ops)
    view = importance_view(graph.with_(inputs=("input", "second"), tensors=(second, *graph.tensors), ops=ops))
    assert [view.nodes[first] for first in view.firsts] == ["input", "second"]
    assert rows(view)["s1.add#2"] == ("second", "s1.add", "1")
    assert rows(view)["s1.conv2"] == ("s1.relu", "s1.add", "1")


def edge_to(view: View, node: str) -> int:
    return next(number for number, edge in enumerate(view.edges) if view.nodes[edge.target] == node)
