"""Counts parameters, multiply-accumulates and memory of one sub-network, for one image, without PyTorch.

params        parameters of the sub-network          params_total  parameters allocated, with all norm banks
macs          multiply-accumulates                   activations   elements written by all operations
peak_bytes    peak activation memory of `net.extract(plan, fold=True)` in float32: with the input image, norms folded,
              parallel linear branches as one convolution, in-place activations, without weights

--deployed counts that network in everything: `net.extract(plan, fold=True)`, which export.py writes. Its convolutions
have the biases of folded norms, and RepVGG's branches are one convolution.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from specc.assignments import assignment_json, show_assignment
from specc.cli import arguments as shared
from specc.cli.assignment import assignment
from specc.cli.failure import Failure, reason
from specc.cli.terminal import Terminal
from specc.ir.choice import Assignment
from specc.ir.graph import Graph

SUMMARY = "count parameters, MACs and memory of a sub-network"
TOTALS = ("params", "params_total", "macs", "activations", "peak_bytes")


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    shared.at(parser, "max", "the sub-network")
    text = "macs counts convolutions, linear layers and matrix products; with_norms adds 2 per normalised element"
    parser.add_argument(
        "--latency", type=Path, metavar="FILE", help="also predict latency, from a table of measured blocks"
    )
    merged = "count it as it is exported: norms folded, parallel linear branches merged"
    parser.add_argument("--deployed", action="store_true", help=merged)
    parser.add_argument("--count", choices=("macs", "with_norms"), default="macs", help=text)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.cost.report import cost

    compiled = shared.load(args, terminal)
    graph = compiled.graph
    at = assignment(compiled, args.at, args.seed, terminal)
    report = cost(graph, at, args.count, args.deployed)
    time, conditions = (None, "") if args.latency is None else predicted(graph, args.latency, at)
    if args.json:
        from specc.schemas.costs import Cost

        totals = {name: getattr(report, name) for name in TOTALS}
        timed = {} if time is None else {"latency": time}
        ops = [
            {"name": op.name, "kind": op.kind, "stage": op.stage, "params": op.params, "macs": op.macs, "out": op.out}
            for op in report.ops
        ]
        found = {"spec": graph.name, "at": assignment_json(graph, at), **totals, **timed, "ops": ops}
        terminal.json(Cost.model_validate(found))
        return 0
    rows = [(op.name, op.kind, op.stage, op.params, op.macs, " x ".join(map(str, op.out))) for op in report.ops]
    terminal.table(("name", "kind", "stage", "params", "macs", "out"), rows, right=("params", "macs", "out"))
    terminal.data(f"\nat {show_assignment(graph, at)}\n")
    for name in TOTALS:
        terminal.data(f"{name:<13}{getattr(report, name):>18,}\n")
    if time is not None:
        terminal.data(f"{'latency':<13}{1e3 * time:>15,.3f} ms   {conditions}\n")
    return 0


def predicted(graph: Graph, path: Path, at: Assignment) -> tuple[float, str]:
    """Seconds, as the table in a file has them, and what they hold for. Raises Failure where it cannot be read."""
    from specc.subnets.latency import latency, table_of

    try:
        return latency(graph, path, at), table_of(graph, path).conditions
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {path}: {reason(error)}") from None
