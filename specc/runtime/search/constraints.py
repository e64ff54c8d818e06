"""The constraints of a search: MACs and parameters as windows to sample from, and why nothing satisfies them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Any, Final

from specc.runtime.search.front import Point
from specc.runtime.search.options import written
from specc.runtime.train.interfaces import Space
from specc.space import choices
from specc.space.conditioned import ranges_of
from specc.space.elimination import TooEntangled
from specc.space.latency_table import LatencyTable
from specc.space.line import ANY, Window
from specc.space.window import NothingFound, draw_in_window, in_nanoseconds, timed_space

COUNTED: Final = ("macs", "params", "latency")


def constraints_of(budgets: Sequence[Mapping[str, Any]], timed: bool = False) -> Window:
    """The (least, most) MACs and parameters that budgets allow; where `timed`, also predicted nanoseconds."""

    def of(kind: str) -> tuple[float, float]:
        found = [budget for budget in budgets if budget["name"] == kind]
        least = max((float(budget.get("least", 0)) for budget in found), default=0.0)
        most = min((float(budget.get("most", inf)) for budget in found), default=inf)
        return (least if least > 0 else -inf, most)

    counted = of("macs"), of("params")
    return (*counted, in_nanoseconds(of("latency"))) if timed else counted


def windows_of(
    drawable: choices.Space, costs: Sequence[str], constraints: Window, count: int
) -> list[Window]:
    """The constraints, cut into `count` windows along the first of the costs that can be drawn by, by rising cost.

    These are MACs and parameters, and latencies where the space has those of a table; MACs where there is none of them.
    """
    kinds = COUNTED[: len(constraints)]
    kind = next((kinds.index(name) for name in costs if name in kinds), 0)
    try:
        low, high = ranges_of(drawable)[kind]
    except TooEntangled:
        ends = [choices.smallest(drawable), choices.largest(drawable)]
        assert drawable.costs is not None
        low, high = drawable.costs(choices.positions(drawable, ends))[kind].tolist()
    low, high = int(max(low, constraints[kind][0])), int(min(high, constraints[kind][1]))
    edges = [low + (high + 1 - low) * n // count for n in range(count + 1)]
    windows = [(float(a), float(b - 1)) for a, b in pairwise(edges) if a < b]
    return [(*constraints[:kind], window, *constraints[kind + 1 :]) for window in windows]


def why_none(
    space: Space,
    budgets: Sequence[Mapping[str, Any]],
    looked_at: Iterable[Point],
    table: LatencyTable | None = None,
) -> str:
    """Error message for infeasible constraints: the nearest reachable costs.

    Of MACs and parameters, and of latencies that a table predicts, these are the nearest of the whole space; of the
    others the nearest of what was looked at.
    """
    constraints, points = constraints_of(budgets, timed=table is not None), [*looked_at]
    if any(one != ANY for one in constraints):
        drawable = timed_space(space.SPACE, table) if table else space.SPACE
        try:
            draw_in_window(drawable, 1, random.Random(0), *constraints)
        except NothingFound as empty:
            if empty.nearest:
                return str(empty)
    found = [beside(budget, points) for budget in budgets]
    reasons = [reason for reason in found if reason]
    if not reasons and len(budgets) > 1:
        reasons = ["some satisfy each constraint, but none that was found satisfies all"]
    return "; ".join(["no sub-network satisfies the constraints", *reasons])


def beside(budget: Mapping[str, Any], points: Sequence[Point]) -> str:
    """The nearest costs on both sides of a constraint, of those that are known; nothing where some satisfy it."""
    name, least, most = budget["name"], budget.get("least", 0), budget.get("most", inf)
    known = [value for point in points if (value := getattr(point, name)) is not None]
    if not known or any(least <= value <= most for value in known):
        return ""
    below = max((value for value in known if value < least), default=None)
    above = min((value for value in known if value > most), default=None)
    ends = [written(value, name) for value in (below, above) if value is not None]
    return f"of {len(known):,} looked at the nearest {NAMES[name]} {' and '.join(ends)}"


NAMES: Mapping[str, str] = {
    "macs": "MACs are",
    "params": "parameters are",
    "memory": "bytes of memory are",
    "latency": "latency is",
}
