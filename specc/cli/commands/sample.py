"""Draws sub-networks: uniformly, or with each choice on its own; also within budgets.

A budget is a range such as `--macs 60M..100M`. Sampling is then uniform over the sub-networks that satisfy every
budget. Latencies are predicted, as sums over the blocks of a latency table.

When choices are too interdependent for exact counting (over 1M joint states), each choice is drawn independently until
all costs satisfy the budgets. These samples are not uniform: a warning says so, and in JSON `exact` and `why` of each
row.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from specc.assignments import assignments_json, show_assignments
from specc.cli import arguments as shared
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal
from specc.ir.expr import Option

if TYPE_CHECKING:
    from specc.ir.graph import Graph
    from specc.space.window import Draws

SUMMARY = "sample sub-networks, also within a budget"
MOST: Final = 1_000_000
"""The most at once: some seconds, and about a gigabyte."""


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument(
        "-n", "--number", type=shared.positive("-n", MOST), default=1, metavar="N", help="number of samples (1)"
    )
    parser.add_argument("--seed", type=shared.whole, default=0, metavar="S", help="random seed (0)")
    parser.add_argument("--macs", type=shared.window, metavar="LO..HI", help="multiply-accumulates, as in 60M..100M")
    parser.add_argument("--params", type=shared.window, metavar="LO..HI", help="parameters, as in 1M..2M")
    parser.add_argument("--latency", type=shared.times, metavar="LO..HI", help="predicted time, as in 2ms..3ms")
    parser.add_argument(
        "--latency-table", type=Path, metavar="FILE", help="measured block latencies: latency.<device>.json"
    )
    text = "uniform over sub-networks, or each active choice drawn independently (uniform)"
    parser.add_argument("--distribution", choices=("uniform", "independent"), default="uniform", help=text)


def run(args: Namespace, terminal: Terminal) -> int:
    if args.latency is not None and args.latency_table is None:
        raise UsageError("--latency needs --latency-table FILE", "a generated project's latency.<device>.json is one")
    if args.distribution == "independent" and (args.macs or args.params or args.latency):
        raise UsageError("--distribution independent cannot be combined with a budget")
    from specc.subnets.space import doubts

    graph = shared.load(args, terminal).graph
    with terminal.busy(f"drawing {args.number:,} sub-networks"):
        draws, latencies = drawn(args, graph)
    if latencies:
        from specc.subnets.latency import table_of

        terminal.note(f"latencies by {args.latency_table.name}: {table_of(graph, args.latency_table).conditions}")
    terminal.warn(doubts(graph, draws, args.number))
    note(draws, terminal)
    assignments = cast("tuple[dict[str, Option], ...]", draws.assignments)
    costs = list(zip(draws.macs, draws.params, strict=True))
    if args.json:
        from specc.schemas.costs import Draws as Document

        how = {"exact": draws.exact, "why": draws.why}
        shown = assignments_json(graph, assignments)
        found = [{"at": at, "macs": m, "params": p, **how} for at, (m, p) in zip(shown, costs, strict=True)]
        if latencies:
            found = [row | {"latency": time} for row, time in zip(found, latencies, strict=True)]
        terminal.json(Document.model_validate(found))
        return 0
    times = [[f"{1e3 * time:.3f} ms"] for time in latencies] if latencies else [[] for _ in costs]
    texts = show_assignments(graph, assignments)
    table = [(*cost, *time, text) for cost, time, text in zip(costs, times, texts, strict=True)]
    columns = ("macs", "params", "latency") if latencies else ("macs", "params")
    terminal.table((*columns, "at"), table, right=columns)
    return 0


def drawn(args: Namespace, graph: Graph) -> tuple[Draws, tuple[float, ...]]:
    """The draws, and their latencies where there is a table of them."""
    from specc.api import interval
    from specc.subnets.latency import draw_timed, latencies
    from specc.subnets.space import draw

    macs, params, table = interval(args.macs), interval(args.params), args.latency_table
    try:
        if args.latency is not None:
            timed = draw_timed(graph, table, args.number, args.seed, interval(args.latency), macs, params)
            return timed.draws, timed.latencies
        draws = draw(graph, args.number, args.seed, args.distribution, macs, params)
        assignments = cast("tuple[dict[str, Option], ...]", draws.assignments)
        return draws, latencies(graph, table, assignments) if table is not None else ()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {table}: {reason(error)}") from None


def note(draws: Draws, terminal: Terminal) -> None:
    """Says where draws took more than one try each."""
    found = len(draws.assignments)
    if draws.exact and found < draws.tries:
        share = found / draws.tries
        useful = f"{share:.0%}" if share >= 0.01 else f"{found:,}"
        terminal.note(f"note: too many sub-networks to list; {useful} of {draws.tries:,} tries were of use")
