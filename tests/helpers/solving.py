"""The scores of a view by one dense solve."""

from __future__ import annotations

from specc.importance.chain import Joined, directed, undirected
from specc.importance.paths import BestPaths, Ways, best_paths, grades_of
from tests.helpers.views import Case


def ways(case: Case) -> Ways:
    edges = case.view.edges
    sources, targets = [edge.source for edge in edges], [edge.target for edge in edges]
    return Ways(sources, targets, case.macs, case.view.firsts, case.view.lasts, len(case.view.nodes))


def solved(case: Case, joined: Joined, is_directed: bool) -> tuple[list[float], BestPaths]:
    if is_directed:
        chain = directed(joined, case.coupling, case.damping)
        return chain.tas.tolist(), best_paths(ways(case), grades_of(chain.tas), chain.tas)
    chain = undirected(joined, case.coupling, case.damping)
    assert chain.degrees is not None
    return chain.tas.tolist(), best_paths(ways(case), chain.degrees)
