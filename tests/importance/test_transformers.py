"""The importance view of transformers, and what is asked of it: attention is one operation, what only prepares tokens
belongs to the patch embedding, and `take` to what it takes from."""

from __future__ import annotations

import json

import pytest

from specc.ir.expr import show
from specc.passes.importance_view import View, ViewEdge, importance_view
from specc.pipeline import load
from tests.helpers.commands import specc as command
from tests.helpers.folders import SPECS
from tests.helpers.networks import graph_of

SMALL = """
import std.vit
supernet small {
  input image(3, 16, 16); classes 5
  norm layer(eps=1e-6)
  stem { patch_embed(4, dim=24); class_token; position; dropout(0.1) }
  stage s { encoder(4, mlp=40); skippable { encoder(4, mlp=40, dropout=0.1) } }
  head { norm; take(class_token); linear(classes) }
}
"""


def small() -> View:
    return importance_view(graph_of(SMALL))


def edge(view: View, name: str) -> ViewEdge:
    return next(e for e in view.edges if e.name == name)


def test_edges_of_a_small_transformer() -> None:
    """Of a residual with one operation in it the sum stays a node between two edges; of one with two, the second of
    them ends at the sum."""
    view = small()
    found = {e.name: (view.nodes[e.source], view.nodes[e.target], show(e.guard)) for e in view.edges}
    tokens, first, last = "stem.dropout", "s.b1.add2", "s.b2.add2"
    assert found == {
        "stem.patch_embed": ("input", tokens, "1"),
        "s.b1.attention": (tokens, "s.b1.attention", "1"),
        "s.b1.add1#1": ("s.b1.attention", "s.b1.add1", "1"),
        "s.b1.add1#2": (tokens, "s.b1.add1", "1"),
        "s.b1.linear1": ("s.b1.add1", "s.b1.gelu", "1"),
        "s.b1.linear2": ("s.b1.gelu", first, "1"),
        "s.b1.add2#2": ("s.b1.add1", first, "1"),
        "s.b2.attention": (first, "s.b2.dropout1", "s.keep"),
        "s.b2.add1#1": ("s.b2.dropout1", "s.b2.add1", "1"),
        "s.b2.add1#2": (first, "s.b2.add1", "1"),
        "s.b2.linear1": ("s.b2.add1", "s.b2.dropout2", "s.keep"),
        "s.b2.linear2": ("s.b2.dropout2", last, "s.keep"),
        "s.b2.add2#2": ("s.b2.add1", last, "1"),
        "head.linear": (last, "head.linear", "1"),
    }


def test_what_folds_into_the_operations_of_a_transformer() -> None:
    view = small()
    assert edge(view, "stem.patch_embed").ops[1:] == ("stem.class_token", "stem.position", "stem.dropout", "s.b1.norm1")
    assert edge(view, "s.b1.linear1").ops == ("s.b1.linear1", "s.b1.gelu")
    assert edge(view, "s.b2.linear2").ops == ("s.b2.linear2", "s.b2.dropout3")


@pytest.mark.parametrize("name", ["vit_b_32", "vit_b_32_adn"])
def test_a_block_has_four_feature_maps(name: str) -> None:
    """Attention, its sum, the hidden layer and the second sum; before them image and tokens, then the logits."""
    view = importance_view(load(SPECS / f"{name}.specc").graph)
    assert len(view.nodes) == 2 + 12 * 4 + 1
    assert sum(e.kind == "attention" for e in view.edges) == 12


def test_the_importance_of_vit_adn() -> None:
    """The shortest path takes every residual's identity, and no sub-network may drop two blocks of a group."""
    done = command("importance", SPECS / "vit_b_32_adn.specc", "--json", "--seed", "1")
    assert done.code == 0
    found = json.loads(done.out)
    ops = {op["name"]: op for op in found["ops"]}
    attentions = {name: op for name, op in ops.items() if op["kind"] == "attention"}
    assert len(attentions) == 12
    for name, op in attentions.items():
        assert op["macs"] == 4 * 50 * 768 * 768 + 2 * 50 * 50 * 768
        assert op["important"] == (".b3." not in name)
        assert (sum(op["present"]) < 8) == (".b3." in name)
    assert found["best"]["nodes"] == 3 + 2 * 12
    assert [name for name in found["best"]["ops"] if "#" not in name] == ["stem.patch_embed", "head.linear"]


def test_the_picture_of_vit_adn() -> None:
    done = command("viz", SPECS / "vit_b_32_adn.specc", "--format", "svg")
    assert done.code == 0
    for text in ("attention", "patches", "50 × 768", "16 sub-networks"):
        assert text in done.out
