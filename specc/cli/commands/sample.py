"""Draws sub-networks: uniformly, or with each choice on its own; also within budgets.

A budget is a window such as `--macs 60M..100M`; draws are then uniform over all sub-networks inside it.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import cast

from specc.assignments import assignment_json, show_assignment
from specc.cli import arguments as shared
from specc.cli.terminal import Terminal
from specc.ir.expr import Option

SUMMARY = "draw sub-networks at random, also within a budget"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-n", "--number", type=shared.positive("-n"), default=1, metavar="N", help="how many (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed draws the same (0)")
    parser.add_argument("--macs", type=shared.window, metavar="LO..HI", help="multiply-accumulates, as in 60M..100M")
    parser.add_argument("--params", type=shared.window, metavar="LO..HI", help="parameters, as in 1M..2M")
    text = "uniform over all sub-networks, or each active choice on its own (uniform)"
    parser.add_argument("--distribution", choices=("uniform", "independent"), default="uniform", help=text)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.analysis.space import draw
    from specc.api import limits

    graph = shared.load(args).graph
    with terminal.busy(f"drawing {args.number:,} sub-networks"):
        drawn = draw(graph, args.number, args.seed, args.distribution, limits(args.macs), limits(args.params))
    assignments = cast("tuple[dict[str, Option], ...]", drawn.assignments)
    rows = list(zip(assignments, drawn.macs, drawn.params, strict=True))
    if len(rows) < args.number:
        terminal.note(f"note: only {len(rows)} found in {drawn.tries} tries; widen the window for more")
    if args.json:
        terminal.json([{"at": assignment_json(graph, at), "macs": m, "params": p} for at, m, p in rows])
    else:
        table = [(macs, params, show_assignment(graph, at)) for at, macs, params in rows]
        terminal.table(("macs", "params", "at"), table, right=("macs", "params"))
    return 0
