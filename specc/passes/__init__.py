"""Passes: Graph to Graph, each in its own file, in the order of `PASSES`, with `verify` after each."""

from __future__ import annotations

from collections.abc import Callable

from specc.diagnostics import Findings
from specc.ir.graph import Graph
from specc.passes.check_limits import BEYOND_LIMITS, check_options, check_totals
from specc.passes.check_runs import check_runs
from specc.passes.check_sizes import check_sizes
from specc.passes.connections import check_connections
from specc.passes.cut_runs import cut_runs
from specc.passes.drop_dead import drop_dead
from specc.passes.resolve_banks import resolve_banks
from specc.passes.tighten_guards import tighten_guards
from specc.passes.unify_channels import unify_channels
from specc.passes.verify import verify

Pass = Callable[[Graph, Findings], Graph]

PASSES: tuple[Pass, ...] = (
    cut_runs,
    unify_channels,
    check_options,
    check_connections,
    tighten_guards,
    resolve_banks,
    drop_dead,
    check_sizes,
    check_runs,
    check_totals,
)


def run_passes(graph: Graph, findings: Findings) -> Graph | None:
    """The finished graph; None where a pass reported something. A graph that fails `verify` is a bug in specc."""
    for run in PASSES:
        try:
            before, graph = graph, run(graph, findings)
        except RecursionError:  # of rounds that hand on tensors each condition holds all later ones
            message = "conditions on choices hold one another too deep here"
            findings.report(BEYOND_LIMITS, graph.origin, message, help="leave out fewer rounds of a `repeat`")
            return None
        if findings:
            return None
        if graph is not before:
            verify(graph, after=run.__name__)
    return graph
