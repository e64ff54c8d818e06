"""TAS and best paths against the whole matrix and all paths, and against 50 digits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from mpmath import mp, mpf

from specc.importance.chain import Joined, directed, undirected
from specc.importance.paths import Ways, best_paths, grades_of
from specc.importance.report import joined_pairs
from specc.importance.subnets import draw_subnets, pairs_of
from specc.passes.importance_view import importance_view
from specc.pipeline import load
from tests.helpers import importance as reference
from tests.helpers.folders import SPECS
from tests.helpers.solving import solved, ways
from tests.helpers.views import Case, cases


@pytest.mark.parametrize("is_directed", [False, True], ids=["undirected", "directed"])
@settings(max_examples=250, deadline=None, derandomize=True)
@given(case=cases())
def test_tas_is_that_of_the_whole_matrix(is_directed: bool, case: Case) -> None:
    drawn = case.drawn()
    tas, _ = solved(case, case.joined(drawn), is_directed)
    h = reference.hyper_adjacency(case.view, drawn.at, case.coupling, case.damping, is_directed)
    expected = reference.dense_tas(h, len(case.view.nodes))
    np.testing.assert_allclose(tas, expected, rtol=1e-10, atol=1e-12)
    assert sum(tas) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("is_directed", [False, True], ids=["undirected", "directed"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(case=cases(most=6, subnets=3))
def test_tas_and_best_paths_in_50_digits(is_directed: bool, case: Case) -> None:
    drawn = case.drawn()
    tas, found = solved(case, case.joined(drawn), is_directed)
    exact = reference.precise_tas(case.view, drawn.at, case.coupling, case.damping, is_directed)
    assert all(abs(mpf(mine) / true - 1) < 1e-13 for mine, true in zip(tas, exact, strict=True))
    wanted = reference.best_paths(case.view, exact, case.macs)
    lengths = [length for length in found.lengths if length > 1]  # an input that is a head is a path of one node
    assert lengths == list(wanted)
    assert [found.path(length) for length in lengths] == list(wanted.values())
    for length in lengths:
        place = found.lengths.index(length)
        assert found.macs[place] == sum(case.macs[edge] for edge in wanted[length])
        if found.scores is not None:
            nodes = reference.nodes_on(case.view, wanted[length], case.view.edges[wanted[length][0]].source)
            assert found.scores[place] == pytest.approx(float(sum(exact[node] for node in nodes)), rel=1e-13)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(case=cases(most=9))
def test_grades_and_macs_in_one_number_or_two_give_the_same(case: Case) -> None:
    """Multiplying MACs to 56 bits keeps them apart from the grades, and changes no decision."""
    degrees = np.arange(1.0, len(case.view.nodes) + 1) % 3 + 1
    one = best_paths(ways(case), degrees)
    many = ways(case)
    heavy = Ways(many.sources, many.targets, [m << 52 for m in many.macs], many.firsts, many.lasts, many.nodes)
    two = best_paths(heavy, degrees)
    assert one.lengths == two.lengths
    assert [one.path(length) for length in one.lengths] == [two.path(length) for length in two.lengths]
    assert one.grades.tolist() == two.grades.tolist()
    assert (one.macs << 52).tolist() == two.macs.tolist()


@pytest.mark.parametrize("spec", ["mobilenet_v2_tips", "resnet34_tips", "mlp80_tips", "digits"])
@pytest.mark.parametrize("is_directed", [False, True], ids=["undirected", "directed"])
def test_specs_in_50_digits(spec: str, is_directed: bool) -> None:
    """A solution in 50 digits that satisfies pi P = pi, which has only one, beside ours."""
    graph = load(SPECS / f"{spec}.specc").graph
    view = importance_view(graph)
    pairs = pairs_of(view)
    drawn = draw_subnets(view, pairs, graph.choices, 8, seed=3)
    joined = joined_pairs(view, pairs, drawn.holds.astype(np.float64), 8)
    chain = (directed if is_directed else undirected)(joined, 0.7, 1e-5)
    with mp.workdps(reference.DIGITS):
        exact = stationary(joined, mpf(0.7), mpf(1e-5), is_directed)
        assert all(abs(mpf(mine) / true - 1) < 1e-13 for mine, true in zip(chain.tas.tolist(), exact, strict=True))


def stationary(joined: Joined, coupling: mpf, damping: mpf, is_directed: bool) -> list[mpf]:
    """TAS in the working precision: a guess by the closed form or the sweep, checked against the definition."""
    size, subnets = joined.nodes, joined.subnets
    keep = 1 - damping
    into: list[list[tuple[int, int]]] = [[] for _ in range(size * subnets)]
    out: list[list[int]] = [[] for _ in range(size * subnets)]
    for pair, (source, target) in enumerate(zip(joined.sources.tolist(), joined.targets.tolist(), strict=True)):
        for k in range(subnets):
            if joined.present[pair, k]:
                for s, t in ((source, target), (target, source))[: 1 if is_directed else 2]:
                    into[t * subnets + k].append((s, k))
                    out[s * subnets + k].append(t)
    loops = joined.loops.astype(int).tolist()
    sums = [
        keep * (len(out[r * subnets + k]) + loops[r] + coupling * (subnets - 1)) + damping * size * subnets
        for r in range(size)
        for k in range(subnets)
    ]
    weights = [mpf(1)] * (size * subnets)
    if is_directed:
        cross = keep * coupling
        for r in range(size):
            right = [
                damping + keep * sum(weights[s * subnets + k] for s, k in into[r * subnets + i]) for i in range(subnets)
            ]
            e = [sums[r * subnets + i] - keep * loops[r] + cross for i in range(subnets)]
            total = sum(b / d for b, d in zip(right, e, strict=True)) / (1 - cross * sum(1 / d for d in e))
            for i in range(subnets):
                weights[r * subnets + i] = (right[i] + cross * total) / e[i]
    pi = [x * d for x, d in zip(weights, sums, strict=True)]
    whole = sum(pi)
    pi = [value / whole for value in pi]
    check(pi, sums, into, loops, coupling, damping, size, subnets)
    return [sum(pi[r * subnets : (r + 1) * subnets]) for r in range(size)]


def check(
    pi: list[mpf],
    sums: list[mpf],
    into: list[list[tuple[int, int]]],
    loops: list[int],
    coupling: mpf,
    damping: mpf,
    size: int,
    subnets: int,
) -> None:
    """That pi P = pi to 45 digits, with P as Eq. 4-6 and 20 define it."""
    x = [value / row for value, row in zip(pi, sums, strict=True)]
    everywhere = damping * sum(x)
    for r in range(size):
        copies = sum(x[r * subnets : (r + 1) * subnets])
        for k in range(subnets):
            state = r * subnets + k
            arriving = sum(x[s * subnets + i] for s, i in into[state]) + loops[r] * x[state]
            arriving += coupling * (copies - x[state])
            assert abs((1 - damping) * arriving + everywhere - pi[state]) < mpf(10) ** -45


def test_ties_go_to_fewer_macs_then_to_graph_order() -> None:
    #   0 -> 1 -> 3 and 0 -> 2 -> 3 have equal degrees; edges in graph order are 0: 0-1, 1: 0-2, 2: 1-3, 3: 2-3
    for macs, wanted in (((5, 5, 5, 5), (0, 2)), ((5, 4, 5, 5), (1, 3)), ((5, 4, 4, 5), (0, 2))):
        found = best_paths(Ways([0, 0, 1, 2], [1, 2, 3, 3], macs, (0,), (3,), 4), np.ones(4))
        assert found.lengths == (3,)
        assert found.path(3) == wanted


def test_the_mean_decides_between_lengths_exactly() -> None:
    third = Fraction(1, 3)
    grades = grades_of(np.array([float(third)] * 3))
    assert grades.tolist() == [grades[0]] * 3
    assert float(grades[0]).is_integer()
