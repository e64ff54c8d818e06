"""The spaces of the published specs: sizes worked out by hand, ranges, draws that cost what they say."""

from __future__ import annotations

import random
from math import inf, prod

import pytest

from specc.cost import compile_cost, cost
from specc.ir.graph import Graph
from specc.pipeline import load
from specc.subnets.space import complete, draw, enumerate_space, range_of_costs, size
from tests.helpers.folders import SPECS, spec_names


def graph_of(name: str) -> Graph:
    return load(SPECS / f"{name}.specc").graph


SIZES = {
    "digits": 9 * 3 * 3,
    "mlp80_tips": 2**40,
    "mobilenet_v2_adn": 2**5,
    "mobilenet_v2_pss": 41_184,
    "resnet50_adn": 2**4,
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    assert size(graph_of(name)) == SIZES[name]


def test_a_skipped_block_takes_its_hidden_width_along() -> None:
    """mobilenet_v2_tips: each skippable block adds one sub-network to those of its own hidden width."""
    graph = graph_of("mobilenet_v2_tips")
    options = {choice.name: len(choice.options) for choice in graph.choices}
    always = [name for name in options if name not in HIDDEN and "keep" not in name]
    assert size(graph) == prod(options[n] for n in always) * prod(1 + options[n] for n in HIDDEN)


HIDDEN = tuple(
    f"{stage}.b{block}.conv1.width"
    for stage, blocks in (("s2", 2), ("s3", 3), ("s4", 4), ("s5", 3), ("s6", 3))
    for block in range(2, blocks + 1)
)


@pytest.mark.parametrize("name", spec_names())
def test_costs_lie_between_the_smallest_and_the_largest(name: str) -> None:
    graph = graph_of(name)
    least, most = (cost(graph, complete(graph, {}, end)) for end in ("min", "max"))
    ranges = range_of_costs(graph)
    assert ranges.exact
    assert ranges.macs == (least.macs, most.macs)
    assert ranges.params == (least.params, most.params)
    compiled = compile_cost(graph)
    for distribution in ("uniform", "independent"):
        drawn = draw(graph, 20, 1, distribution)
        for at, macs, params in zip(drawn.assignments, drawn.macs, drawn.params, strict=True):
            report = cost(graph, at)  # type: ignore[arg-type]
            assert (report.macs, report.params) == (macs, params) == compiled(at)  # type: ignore[arg-type]
            assert least.macs <= macs <= most.macs
            assert report.peak_bytes <= most.peak_bytes
            assert report.activations <= most.activations


def test_windows_of_pss_are_those_of_its_list() -> None:
    """The windows of PSS-Net's constraints, 10 M MACs apart, share out all 41,184 sub-networks."""
    graph = graph_of("mobilenet_v2_pss")
    compiled = compile_cost(graph)
    costs = [compiled(at).macs for at in enumerate_space(graph)]
    rng = random.Random(0)
    for low in rng.sample(range(69_000_000, 300_000_000, 10_000_000), 4):
        inside = {macs for macs in costs if low <= macs <= low + 10_000_000}
        drawn = draw(graph, 200, 0, macs=(low, low + 10_000_000))
        assert drawn.exact
        assert set(drawn.macs) <= inside
    assert set(draw(graph, 3, 0, macs=(300_774_272, inf)).macs) == {300_774_272}


def test_a_narrow_window_in_a_huge_space_is_filled() -> None:
    graph = graph_of("mobilenet_v2_tips")
    drawn = draw(graph, 10, 0, macs=(99_900_000, 100_100_000), params=(2_000_000, 2_600_000))
    assert len(drawn.assignments) == 10
    assert all(99_900_000 <= macs <= 100_100_000 for macs in drawn.macs)
    assert all(2_000_000 <= params <= 2_600_000 for params in drawn.params)
