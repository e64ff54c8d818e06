"""Channels in runs: which of a tensor's channels are active where several of its segments are elastic.

A segment keeps its first channels. What stands before an elastic segment and is always whole forms one run with it: of
a fixed 64 and an elastic 32, the first so many are active. Where an elastic segment is not the last, the active
channels are no longer the first ones: `concat(a, b)` with a narrow `a` has a gap between the two.
"""

from __future__ import annotations

from collections.abc import Iterable

from specc.ir.expr import Apply, Expr, Var, apply
from specc.ir.graph import Segment, Tensor
from specc.ir.operator import OpCall
from specc.ir.whole import part
from specc.ops.shapes import GROUPS_DIVIDE, one, product


def is_elastic(expr: Expr) -> bool:
    """Whether a size depends on a choice."""
    return isinstance(expr, (Var, Apply))


def runs(channels: Iterable[Segment]) -> tuple[Expr, ...]:
    """The active features of every run; one where the active features are the first ones."""
    found: list[Expr] = []
    whole: Expr = 0
    for segment in channels:
        whole = segment.features if whole == 0 else apply("add", part(whole), part(segment.features))
        if is_elastic(segment.features):
            found.append(whole)
            whole = 0
    return tuple(found) if whole == 0 and found else (*found, whole)


def grouped_runs(call: OpCall, tensor: Tensor, per_group: int, out_per_group: int) -> tuple[Segment, ...]:
    """The output of groups over several runs: as many runs, each of its own groups. Fixed ones next to each other
    are one."""
    runs: list[Expr] = []
    whole = 0
    for segment in tensor.channels:
        if not is_elastic(segment.size):
            whole += call.maximum(segment.size)
            continue
        if whole:
            runs.append(whole)
        runs.append(segment.size)
        whole = 0
    if whole:
        runs.append(whole)
    for run in runs:
        if call.maximum(run) % per_group:
            call.report(
                GROUPS_DIVIDE,
                f"groups of {per_group} channels do not fit a run of {call.maximum(run)} that is joined here",
                at="groups",
            )
            return one(product(tensor.features, out_per_group))
    return tuple(Segment(product(call.whole_groups(run, per_group), out_per_group)) for run in runs)


def total(channels: tuple[Segment, ...]) -> Expr:
    found: Expr = 0
    for segment in channels:
        found = apply("add", found, segment.features)
    return found
