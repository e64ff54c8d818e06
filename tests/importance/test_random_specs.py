"""Random nestings of everything that may be left out: views stay sound, and every sub-network leads to the head."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from specc.importance import Settings, importance
from specc.ir.expr import evaluate
from specc.passes.importance_view import importance_view
from tests.helpers.networks import network

LEAVES = ("conv(16, kernel=3)", "conv(16, kernel={1, 3}); norm; relu", "depthwise(kernel=3); norm; relu")


def body(rng: random.Random, depth: int) -> str:
    return "; ".join(item(rng, depth) for _ in range(rng.randint(1, 3)))


def item(rng: random.Random, depth: int) -> str:
    """A statement that keeps the shape."""
    if depth == 0:
        return rng.choice(LEAVES)
    inner = f"{{ {body(rng, depth - 1)} }}"
    other = f"{{ {body(rng, depth - 1)} }}"
    return rng.choice(
        (
            rng.choice(LEAVES),
            f"skippable {inner}",
            f"residual {inner}",
            f"residual {inner} shortcut {other}",
            f"repeat {rng.choice(('0..2', '1..2', '2'))} {inner}",
            f"when m == {rng.randint(1, 3)} {inner}",
            f"when m == {rng.randint(1, 3)} {inner} else {other}",
        )
    )


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed: int) -> None:
    text = f"choice m in {{1, 2, 3}}; stage s1 {{ {body(random.Random(seed), 3)} }}"
    graph = network(text)
    view = importance_view(graph)
    assert len(set(view.nodes)) == len(view.nodes)
    assert len({edge.name for edge in view.edges}) == len(view.edges)
    assert all(edge.source < edge.target for edge in view.edges)
    assert max(Counter((edge.source, edge.target) for edge in view.edges).values()) == 1
    assert {edge.target for edge in view.edges} == set(range(len(view.nodes))) - set(view.firsts)
    assert {edge.source for edge in view.edges} == set(range(len(view.nodes))) - set(view.lasts)
    for directed in (False, True):
        found = importance(graph, Settings(subnets=6, directed=directed, seed=seed))
        assert sum(tensor.tas for tensor in found.tensors) == pytest.approx(1, abs=1e-13)
        for at in found.subnets:
            reached = set(view.firsts)
            for edge in sorted(view.edges, key=lambda edge: edge.source):
                if edge.source in reached and evaluate(edge.guard, at):
                    reached.add(edge.target)
            assert reached >= set(view.lasts)


def test_what_no_sub_network_has_need_not_be_kept() -> None:
    stages = "choice m in {1, 2}; stage s1 { when m == 1 { when m == 2 { conv(16, kernel=3) }; conv(16, kernel=1) } }"
    found = importance(network(stages), Settings(subnets=2))
    present = {op.name: sum(op.present) for op in found.ops}
    assert present["s1.conv1"] == 0
    assert present["s1.conv2"] >= 1
