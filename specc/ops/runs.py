"""Channels in runs: which of a tensor's channels are active where several of its segments are elastic.

A segment keeps its first channels. What stands before an elastic segment and is always whole forms one run with it: of
a fixed 64 and an elastic 32, the first so many are active. Where an elastic segment is not the last, the active
channels are no longer the first ones: `concat(a, b)` with a narrow `a` has a gap between the two.
"""

from __future__ import annotations

from collections.abc import Iterable

from specc.ir.expr import Apply, Expr, Var, apply
from specc.ir.graph import Segment


def is_elastic(expr: Expr) -> bool:
    """Whether a size depends on a choice."""
    return isinstance(expr, (Var, Apply))


def runs(channels: Iterable[Segment]) -> tuple[Expr, ...]:
    """The active features of every run; one where the active features are the first ones."""
    found: list[Expr] = []
    whole: Expr = 0
    for segment in channels:
        whole = apply("add", whole, segment.features)
        if is_elastic(segment.features):
            found.append(whole)
            whole = 0
    return tuple(found) if whole == 0 and found else (*found, whole)
