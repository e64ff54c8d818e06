"""Channels in runs: which of a tensor's channels are active where several of its segments are elastic.

A segment keeps its first channels. What stands before an elastic segment and is always whole forms one run with it: of
a fixed 64 and an elastic 32, the first so many are active. Where an elastic segment is not the last, the active
channels are no longer the first ones: `concat(a, b)` with a narrow `a` has a gap between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from specc.ir.expr import Apply, Expr, Var, apply
from specc.ir.graph import Segment, Tensor
from specc.ops.writing import Sites, Values


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


def channel_values(tensors: Sequence[Tensor]) -> Values:
    """The channels of a tensor at every site: a number, or, where some have several runs, the numbers of each run."""
    cut = tuple(runs(tensor.channels) for tensor in tensors)
    if any(len(found) > 1 for found in cut):
        return cut
    return tuple(tensor.features for tensor in tensors)


def entering(sites: Sites) -> Values:
    """The channels of the first input."""
    return channel_values([site.inputs[0] for site in sites])


def leaving(sites: Sites) -> Values:
    """The channels of the first output."""
    return channel_values([site.outputs[0] for site in sites])


def segmented(sites: Sites) -> bool:
    """Whether the channels that enter an op come in several runs anywhere."""
    return isinstance(entering(sites)[0], tuple)
