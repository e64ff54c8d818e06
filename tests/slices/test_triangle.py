"""The triangle: which inputs an output channel sees, from the definition, and what that costs."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from specc.cost import compile_cost, cost
from specc.ir.choice import Range
from specc.ir.expr import round_half_up
from specc.ir.graph import Graph
from specc.passes.specialise import specialise
from specc.space.functions import seen, support
from tests.helpers.networks import graph_of
from tests.helpers.sliced import any_width, sliced


def active(full: int, share: Fraction) -> int:
    """floor(C alpha + 1/2), and one channel at least."""
    return max(1, round_half_up(full * share))


@pytest.mark.parametrize(("inputs", "outputs"), [(8, 8), (3, 17), (45, 45), (16, 5), (7, 40), (1, 9)])
def test_a_channel_sees_what_is_active_at_the_smallest_share_at_which_it_is_itself(inputs: int, outputs: int) -> None:
    least = Fraction(1, 4)
    least_in, least_out = active(inputs, least), active(outputs, least)
    shares = sorted({Fraction(2 * o + 1, 2 * outputs) for o in range(outputs)} | {least})
    for o in range(outputs):
        smallest = next(share for share in shares if share >= least and active(outputs, share) > o)
        assert seen(o, inputs, outputs, least_in, least_out) == active(inputs, smallest)
        # at every share at which the channel is there, all that it sees is there too
        for share in shares:
            if share >= least and active(outputs, share) > o:
                assert seen(o, inputs, outputs, least_in, least_out) <= active(inputs, share)


def test_the_support_counts_the_mask() -> None:
    rng = random.Random(0)
    for _ in range(50):
        inputs, outputs = rng.randint(1, 40), rng.randint(1, 40)
        least = rng.randint(1, inputs), rng.randint(1, outputs)
        mask = [[i < seen(o, inputs, outputs, *least) for i in range(inputs)] for o in range(outputs)]
        for n in range(outputs + 1):
            assert support(n, inputs, outputs, *least) == sum(map(sum, mask[:n]))


def by_hand(graph: Graph, width: int) -> tuple[int, int]:
    """(MACs, parameters) of the any-width network, from its numbers and the definition of the mask."""
    widest = 14
    n = {c: active(c, Fraction(width, widest)) for c in (9, 14, 6)}
    low = {c: active(c, Fraction(4, widest)) for c in (9, 14, 6)}

    def pairs(inputs: int, outputs: int) -> int:
        return sum(seen(o, inputs, outputs, low[inputs], low[outputs]) for o in range(n[outputs]))

    macs = 64 * (n[9] * 2 * 9 + pairs(9, 14) * 9 + n[14] * 9) + 16 * pairs(14, 6) + n[6] * 16 * 3
    weights = n[9] * 2 * 9 + pairs(9, 14) * 9 + n[14] * 9 + pairs(14, 6) + n[6] * 16 * 3
    others = n[9] + n[14] + 3 + 2 * (n[9] + 2 * n[14] + n[6])
    return macs, weights + others


def test_costs_of_any_width_are_the_mask_counted_by_hand() -> None:
    graph = graph_of(any_width())
    (choice,) = graph.choices
    assert choice.options == Range(4, 14)
    compiled = compile_cost(graph)
    for width in choice.options:
        assert isinstance(width, int)
        at = {choice.name: width}
        report = cost(graph, at)
        assert (report.macs, report.params) == by_hand(graph, width) == compiled.one(at)
        assert report.params_total == 9 * 2 * 9 + 14 * 9 * 9 + 14 * 9 + 6 * 14 + 96 * 3 + 9 + 14 + 3 + 2 * (9 + 28 + 6)
        # what is specialised keeps the triangle of the whole
        bound = specialise(graph, at)
        assert (cost(bound, {}).macs, cost(bound, {}).params) == (report.macs, report.params)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_costs_of_blocks_are_those_on_and_below_the_diagonal(k: int) -> None:
    graph = graph_of(sliced(4))
    report = cost(graph, {"k": k})
    blocks = {row.name: row for row in report.ops}
    assert blocks["s1.b1.conv1"].params == 2 * 1 * k * (k + 1) // 2
    assert blocks["s1.b1.conv1"].macs == 64 * blocks["s1.b1.conv1"].params
    assert blocks["s1.b1.conv2"].params == 9 * k
    assert blocks["s1.b1.conv3"].params == 2 * k
    assert blocks["s2.b2.conv1"].params == 4 * 2 * k * (k + 1) // 2
    assert cost(specialise(graph, {"k": k}), {}).macs == report.macs
