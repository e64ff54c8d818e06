"""Draws distinct canonical sub-networks, uniformly or with independent choices, also within budgets.

A budget is a window such as `--macs 60M..100M`: drawn uniformly from all sub-networks inside it.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli import arguments as shared
from specc.cli.assignment import assignment_json, show_assignment
from specc.cli.draws import draw_assignments
from specc.cli.terminal import Terminal

SUMMARY = "draw sub-networks at random, also within a budget"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-n", "--number", type=shared.positive("-n"), default=1, metavar="N", help="how many (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed draws the same (0)")
    parser.add_argument("--macs", type=shared.window, metavar="LO..HI", help="multiply-accumulates, as in 60M..100M")
    parser.add_argument("--params", type=shared.window, metavar="LO..HI", help="parameters, as in 1M..2M")
    text = "uniform over all sub-networks, or each choice on its own (uniform)"
    parser.add_argument("--distribution", choices=("uniform", "independent"), default="uniform", help=text)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.analysis.cost import compile_cost

    graph = shared.load(args).graph
    drawn = draw_assignments(
        graph, args.number, args.seed, args.distribution, {"macs": args.macs, "params": args.params}
    )
    count = compile_cost(graph)
    rows = []
    for at in terminal.progress(drawn, len(drawn), "counting"):
        cost = count(at)
        rows.append((at, cost.macs, cost.params))
    if args.json:
        terminal.json([{"at": assignment_json(graph, at), "macs": m, "params": p} for at, m, p in rows])
    else:
        table = [(macs, params, show_assignment(graph, at)) for at, macs, params in rows]
        terminal.table(("macs", "params", "at"), table, right=("macs", "params"))
    return 0
