"""The Pareto front of TIPS' Algorithm 1, with weak dominance."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """The indices of the points that no other dominates, by rising cost: lower cost and higher score are better.

    Point j dominates i when cost_j <= cost_i and score_j >= score_i and one of the two is strict, so equal accuracy at
    more MACs is dominated. (Algorithm 1 prints `cost_j <= cost_i and score_j > score_i`, which would keep it.)
    Of points equal in both the first is kept.
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -scores[i], i))
    front: list[int] = []
    for i in order:
        if not front or scores[i] > scores[front[-1]]:
            front.append(i)
    return front


def dominates(cost: float, score: float, other_cost: float, other_score: float) -> bool:
    """Whether the first point is at least as good in both and better in one."""
    return cost <= other_cost and score >= other_score and (cost < other_cost or score > other_score)
