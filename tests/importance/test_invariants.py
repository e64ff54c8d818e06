"""What must not change the answer, and the published networks' important operations."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import specc
from specc.importance import Importance, Settings, importance
from specc.importance.chain import Joined, directed, undirected
from specc.ir.expr import free
from specc.passes.importance_view import importance_view
from specc.pipeline import load
from specc.source import Source
from tests.helpers.folders import SPECS
from tests.helpers.views import Case, cases


def shuffled(joined: Joined, rng: random.Random) -> tuple[Joined, list[int]]:
    """The same pairs with the nodes in another topological order and the pairs in any; the new number of each node."""
    waiting = np.bincount(joined.targets, minlength=joined.nodes).tolist()
    ready = [node for node in range(joined.nodes) if not waiting[node]]
    order = []
    while ready:
        node = ready.pop(rng.randrange(len(ready)))
        order.append(node)
        for target in joined.targets[joined.sources == node].tolist():
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    new = [order.index(node) for node in range(joined.nodes)]
    numbers = np.array(new)
    pairs = rng.sample(range(len(joined.sources)), len(joined.sources))
    moved = Joined(
        numbers[joined.sources[pairs]], numbers[joined.targets[pairs]], joined.present[pairs], joined.loops[order]
    )
    return moved, new


@settings(max_examples=150, deadline=None, derandomize=True)
@given(case=cases(most=9), seed=st.integers(0, 99))
def test_the_order_of_nodes_and_edges_changes_nothing(case: Case, seed: int) -> None:
    joined = case.joined(case.drawn())
    other, new = shuffled(joined, random.Random(seed))
    for solve in (undirected, directed):
        before, after = (solve(j, case.coupling, case.damping).tas for j in (joined, other))
        np.testing.assert_allclose(after[new], before, rtol=1e-13)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(case=cases(most=9), coupling=st.floats(0.01, 1))
def test_coupling_never_changes_the_order_of_undirected_tas(case: Case, coupling: float) -> None:
    joined = case.joined(case.drawn())
    one, other = (undirected(joined, c, case.damping) for c in (case.coupling, coupling))
    assert one.degrees is not None
    for a in range(joined.nodes):
        for b in range(joined.nodes):
            if one.degrees[a] < one.degrees[b]:
                assert one.tas[a] < one.tas[b]
                assert other.tas[a] < other.tas[b]


@pytest.mark.parametrize(("nodes", "subnets", "share"), [(152, 8, 0.001), (20_000, 32, 0.16)])
def test_the_share_of_damping_grows_with_the_states(nodes: int, subnets: int, share: float) -> None:
    """It is a probability for each pair of states (FACTS)."""
    loops = np.zeros(nodes)
    loops[[0, -1]] = 1
    chain = Joined(np.arange(nodes - 1), np.arange(1, nodes), np.ones((nodes - 1, subnets)), loops)
    both = [solve(chain, 1.0, 1e-5).damping_share for solve in (undirected, directed)]
    assert both[0] == pytest.approx(share, rel=0.4)
    assert both[0] < both[1] < 1.2 * both[0]  # directed rows are shorter by the edges that lead back


def residual_edges(found: Importance) -> set[str]:
    return {op.name for op in found.ops if op.kind == "add"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reading", [{}, {"directed": True}, {"coupling": 0.1}, {"subnets": 4}], ids=str)
def test_the_important_operations_of_mobilenet(reading: dict[str, float], seed: int) -> None:
    """The residual edge through every residual block, and all convolutions of the blocks without one (FACTS)."""
    graph = load(SPECS / "mobilenet_v2_tips.specc").graph
    found = importance(graph, replace(Settings(seed=seed), **reading))  # type: ignore[arg-type]
    whole = {op.name for op in graph.ops if op.kind in ("conv", "depthwise", "linear", "pool") and not free(op.guard)}
    assert len(residual_edges(found)) == 10
    assert set(found.important) == residual_edges(found) | whole
    assert len(found.important) == 34


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reading", [{}, {"directed": True}, {"coupling": 0.1}, {"subnets": 4}], ids=str)
def test_the_important_operations_of_resnet34(reading: dict[str, float], seed: int) -> None:
    graph = load(SPECS / "resnet34_tips.specc").graph
    found = importance(graph, replace(Settings(seed=seed), **reading))  # type: ignore[arg-type]
    kinds = ("conv", "linear", "pool", "maxpool")
    whole = {op.name for op in graph.ops if op.kind in kinds and not free(op.guard)}
    assert len(residual_edges(found)) == 13
    assert set(found.important) == residual_edges(found) | whole


@pytest.mark.parametrize("reading", [{}, {"directed": True}], ids=str)
def test_the_important_operations_of_efficientnet(reading: dict[str, bool]) -> None:
    """As MobileNetV2's, with every gate in the edge of its depthwise convolution and in that one's cost."""
    graph = load(SPECS / "efficientnet_b0_tips.specc").graph
    found = importance(graph, replace(Settings(), **reading))
    outside = [op for op in graph.ops if "squeeze_excite" not in op.name and not free(op.guard)]
    whole = {op.name for op in outside if op.kind in ("conv", "depthwise", "linear", "pool")}
    assert len(residual_edges(found)) == 9
    assert set(found.important) == residual_edges(found) | whole
    table = {op.name: op for op in found.ops}
    assert table["s1.b1.depthwise"].macs == 32 * 9 * 112**2 + 2 * 32 * 8
    assert sum(op.macs for op in found.ops) == 385_814_752


@pytest.mark.parametrize("spec", ["efficientnet_b0_tips", "mobilenet_v2_tips", "resnet34_tips"])
def test_expected_degrees_find_the_same(spec: str) -> None:
    graph = load(SPECS / f"{spec}.specc").graph
    expected = importance(graph, Settings(expected=True))
    assert expected.important == importance(graph).important
    means = np.mean([[t.tas for t in importance(graph, Settings(seed=s)).tensors] for s in range(40)], axis=0)
    np.testing.assert_allclose([t.tas for t in expected.tensors], means, rtol=0.03)


def test_renaming_changes_nothing() -> None:
    text = (SPECS / "resnet34_tips.specc").read_text(encoding="utf-8")
    renamed = text.replace("stage s1", "stage first").replace("stage s3", "stage later")
    one, other = (importance(load(Source(SPECS.name, t, str(SPECS / "x.specc"))).graph) for t in (text, renamed))
    assert [t.tas for t in one.tensors] == [t.tas for t in other.tensors]
    assert [op.important for op in one.ops] == [op.important for op in other.ops]
    assert [t.name for t in one.tensors] != [t.name for t in other.tensors]


def test_a_node_count_marks_its_best_path_alone() -> None:
    graph = load(SPECS / "mobilenet_v2_tips.specc").graph
    whole = importance(graph)
    for length in (35, 41, 55):
        found = importance(graph, Settings(nodes=length))
        assert found.best.nodes == length
        assert set(found.important) == set(found.best_ops) == set(whole.path(length))
        assert len(found.best_ops) == length - 1
    assert whole.path(whole.best.nodes) == whole.best_ops
    with pytest.raises(ValueError, match="35, 37"):
        whole.path(36)


def test_figures_belong_together() -> None:
    for more in ({}, {"directed": True}, {"expected": True}):
        found = importance(load(SPECS / "mobilenet_v2_tips.specc").graph, replace(Settings(), **more))
        tas = {tensor.name: tensor.tas for tensor in found.tensors}
        table = {op.name: op for op in found.ops}
        assert sum(tas.values()) == pytest.approx(1, abs=1e-14)
        assert all(op.score == pytest.approx((tas[op.source] + tas[op.target]) / 2) for op in found.ops)
        for path in found.paths:
            ops = [table[name] for name in found.path(path.nodes)]
            assert [op.target for op in ops[:-1]] == [op.source for op in ops[1:]]
            nodes = [ops[0].source, *(op.target for op in ops)]
            assert len(nodes) == path.nodes
            assert sum(tas[name] for name in nodes) == pytest.approx(path.tps, rel=1e-13)
            assert path.mean_tas == path.tps / path.nodes
        assert found.best.mean_tas == pytest.approx(max(path.mean_tas for path in found.paths), rel=1e-14)


def test_samples_are_assignments_of_the_networks_skips() -> None:
    net = specc.load(SPECS / "mobilenet_v2_tips.specc")
    found = net.importance(subnets=5, seed=2)
    assert len(found.subnets) == 5
    skips = [choice.name for choice in net.graph.choices if choice.kind == "skip"]
    assert all(list(at) == skips for at in found.subnets)
    for op in found.ops:
        guard = next(edge.guard for edge in importance_view(net.graph).edges if edge.name == op.name)
        wanted = [1 if guard == 1 else at[str(next(iter(free(guard))))] for at in found.subnets]
        assert list(op.present) == wanted
    assert net.importance().settings == Settings(8, 1.0, 1e-5)
