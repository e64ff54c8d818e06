"""The compiler knows what the first version called everything: fingerprints and names that it wrote are the oracle.

`fingerprints.json` and `states.json` were written by specc 0.1: the fingerprint of every spec, and the names and shapes
of two networks' weights, in the order of their state.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from specc.codegen.fingerprint import fingerprint
from specc.codegen.identity import identity
from specc.codegen.model.write import model_text
from specc.pipeline import load
from specc.portable.files.renames import inverse, present, renames
from specc.source import Source

HERE = Path(__file__).parent
SPECS = HERE.parents[1] / "specs"
FINGERPRINTS: dict[str, str] = json.loads((HERE / "fingerprints.json").read_text())
STATES: dict[str, dict[str, list[int]]] = json.loads((HERE / "states.json").read_text())
SOME = (
    *("digits", "digits_efficientnet_tips", "digits_mobilenet_v3_ofa", "digits_tips", "mobilenet_v2_us", "resnet18"),
    "digits_vit_adn",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in FINGERPRINTS]
)
def test_first_fingerprints_are_those_that_the_first_version_wrote(name: str) -> None:
    graph = load(SPECS / f"{name}.specc").graph
    found = identity(graph)
    assert found.first == FINGERPRINTS[name]
    assert found.fingerprint == fingerprint(graph)
    assert (found.first == found.fingerprint) == (not graph.renamed)
    assert found.renamed or not graph.renamed


@pytest.mark.parametrize("name", STATES)
def test_states_of_the_first_version_become_those_of_now_in_their_order(name: str) -> None:
    """The order counts, too: optimizers keep their state by it."""
    graph = load(SPECS / f"{name}.specc").graph
    table = identity(graph).renamed
    found = [present(first, table) for first in STATES[name]]
    tensors = graph.tensor_table()
    weights: dict[str, tuple[int, ...]] = {}
    for op in graph.ops:
        inputs, outputs = ([tensors[t] for t in names] for names in (op.inputs, op.outputs))
        weights |= {f"{op.name}.{w.name}": w.full for w in op.operator.weights(op, inputs, outputs)}
    shapes = dict(zip(found, STATES[name].values(), strict=True))
    assert {n: shapes[n] for n in weights if n in shapes} == {n: [*s] for n, s in weights.items() if n in shapes}
    assert [n for n in found if n in weights] == [n for n in weights if n in shapes]
    assert {n.rpartition(".")[0] for n in found} == {n.rpartition(".")[0] for n in weights}


def test_the_class_of_the_network_says_what_was_renamed() -> None:
    for name, scope in (("digits_tips", "s1.b1"), ("digits_mobilenet_v3_ofa", "stem.b1"), ("efficientnet_b0", "s1.b1")):
        graph = load(SPECS / f"{name}.specc").graph
        found = attributes(model_text(graph).text)
        assert found["fingerprint"] == fingerprint(graph)
        assert found["first_fingerprint"] == FINGERPRINTS[name]
        assert found["renamed"] == {scope: {"norm1": "norm2", "conv": "conv2", "norm2": "norm3"}}


def test_nothing_is_said_where_nothing_was_renamed() -> None:
    text = model_text(load(SPECS / "digits.specc").graph).text
    assert "renamed" not in text
    assert "first_fingerprint" not in text


def attributes(text: str) -> dict[str, Any]:
    """The literals that the last class of a module has as attributes."""
    last = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)][-1]
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in last.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


SPEC = """
block inner(out, again=no) { conv(out, kernel=1); norm; when again { conv(out, kernel=1); norm } }
block outer(out, wide=no) {
  when wide { inner(out); conv(out, kernel=3); norm }
  inner(out); conv(out, kernel=3); norm; relu
}
supernet nested {
  input image(1, 8, 8); classes 10
  norm batch
  width per_group 0.5..1.0 round 4
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { outer(16); outer(24, wide=yes) }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=2)
data digits
"""


def test_blocks_in_blocks_and_choices_are_renamed_with_what_is_left_out() -> None:
    graph = load(Source("nested.specc", SPEC)).graph
    pairs = dict(graph.renamed)
    assert pairs["s1.b1.inner.conv"] == "s1.b1.inner2.conv1"
    assert pairs["s1.b1.inner.norm"] == "s1.b1.inner2.norm1"
    assert pairs["s1.b1.conv"] == "s1.b1.conv2"
    assert not any(name.startswith("s1.b2.conv") for name in pairs)
    table = identity(graph).renamed
    assert table["s1.b1"] == {"inner": "inner2", "conv": "conv2", "norm": "norm2"}
    assert table["s1.b1.inner"] == {"conv": "conv1", "norm": "norm1"}
    names = {choice.name for choice in graph.choices}
    for first in ("s1.b1.inner.conv.width", "s1.b1.conv.width"):
        assert present(first, table) in names
        assert first not in names


def test_tables_of_names_go_both_ways() -> None:
    table = renames([("a.b.c", "a.b2.c1"), ("a.b.d", "a.b2.d"), ("a.x", "a.b")])
    assert table == {"a": {"b": "b2", "x": "b"}, "a.b": {"c": "c1"}}
    back = inverse(table)
    for first, now in (("a.b.c.weight", "a.b2.c1.weight"), ("a.x", "a.b"), ("a.b.e", "a.b2.e"), ("z.c", "z.c")):
        assert present(first, table) == now
        assert present(now, back) == first
