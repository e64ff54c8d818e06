"""Finds the operations that matter: TAS of every feature map, TPS of the best paths, and the important operations.

The network is seen as a graph of feature maps (nodes) and operations (edges). Sampled sub-networks of it are joined
into one Markov chain; TAS is the probability of a feature map in its stationary distribution, TPS of a path the sum
over its nodes. Important are the operations on the path with the highest TPS by the node, and those that no
sub-network leaves out; with --nodes those on the best path of so many nodes (Li et al., "TIPS", 2023). In every
network tried the first are what no sub-network may drop and the identity edges of residuals.

Defaults are those of the spec's method where it has an analysis, else the paper's.

--adjacency takes the graph of any network instead of a spec: nodes and edges as JSON (`specc schema adjacency.json`),
or matrices of scipy.sparse as .npz, of one network or stacked of T sub-networks. Edges may make cycles, and may have
weights. Where they make none, there are paths, by the edges' directions.
"""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specc.cli import arguments as shared
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal
from specc.diagnostics import Diagnostic, Label

if TYPE_CHECKING:
    from specc.importance import Importance
    from specc.ir.graph import Graph
    from specc.source import Span

SUMMARY = "find the operations that matter (TAS, TPS)"
BAR: Final = 48
"""Characters of the longest bar of a chart."""
EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser, optional=True)
    text = "analyse the graph, or the graphs of sub-networks, in this .json or .npz file"
    parser.add_argument("--adjacency", type=Path, metavar="FILE", help=text)
    parser.add_argument("--subnets", type=shared.whole, metavar="T", help="number of sampled sub-networks (8)")
    parser.add_argument(
        "--coupling", type=float, metavar="L", help="weight of edges between copies of a feature map, in (0, 1] (1)"
    )
    parser.add_argument(
        "--damping", type=float, metavar="K", help="transition probability between any two states, in [0, 1) (1e-5)"
    )
    parser.add_argument("--seed", type=shared.whole, metavar="S", help="random seed (0)")
    parser.add_argument("--directed", action=BooleanOptionalAction, default=None, help="treat edges as directed")
    parser.add_argument(
        "--expected", action=BooleanOptionalAction, default=None, help="use expected degrees instead of samples"
    )
    parser.add_argument("--nodes", type=shared.whole, metavar="D", help="mark only the best path of D feature maps")
    parser.add_argument(
        "--top", type=shared.positive("--top"), metavar="K", help="show the K operations with the highest scores"
    )
    parser.add_argument("--chart", action="store_true", help="draw the TAS of every feature map as a bar")


def run(args: Namespace, terminal: Terminal) -> int:
    if args.expected and args.directed:
        raise UsageError("--expected is for the undirected reading only", "leave --directed or --expected out")
    if args.chart and args.json:
        raise UsageError("--chart and --json exclude each other")
    if args.adjacency is not None:
        return run_adjacency(args, terminal)
    if args.spec is None:
        raise UsageError("a spec is missing", "write SPEC, or --adjacency FILE for a network that has none")
    compiled = shared.load(args, terminal)

    from specc.importance import importance, settings_of
    from specc.methods.tips.ranges import DAMPING_HIDES

    settings = settings_of(
        compiled.model.method,
        args.subnets,
        args.coupling,
        args.damping,
        directed=args.directed,
        expected=args.expected,
        nodes=args.nodes,
        seed=args.seed,
    )
    with terminal.busy("sampling"):
        found = importance(compiled.graph, settings)
    if not any(warning.rule is DAMPING_HIDES for warning in compiled.warnings):
        warn_of_damping(found, compiled.graph.origin, terminal)
    show(compiled.graph.name, found, args, terminal)
    if not (args.json or args.chart):
        terminal.data(favoured(compiled.graph, found))
    return 0


def run_adjacency(args: Namespace, terminal: Terminal) -> int:
    """The same of a network that is given as a graph."""
    from specc.importance.adjacency import origin
    from specc.importance.given import importance_of
    from specc.importance.rules import Settings

    given = {"SPEC": args.spec, "-p": args.param or None, "--subnets": args.subnets, "--seed": args.seed}
    given["--expected"] = args.expected
    for word, value in given.items():
        if value is not None:
            raise UsageError(f"{word} is for specs: the file of --adjacency says what there is", f"leave {word} out")
    usual = Settings()
    settings = Settings(
        coupling=usual.coupling if args.coupling is None else args.coupling,
        damping=usual.damping if args.damping is None else args.damping,
        directed=bool(args.directed),
        nodes=args.nodes,
    )
    with terminal.busy("solving"):
        try:
            name, found = importance_of(args.adjacency, settings)
        except OSError as error:
            raise Failure(f"cannot read {args.adjacency}: {reason(error)}") from None
    warn_of_damping(found, origin(args.adjacency), terminal)
    show(name, found, args, terminal)
    return 0


def warn_of_damping(found: Importance, where: Span, terminal: Terminal) -> None:
    """Warns where damping hides the graph."""
    from specc.methods.tips.ranges import DAMPING_HELP, DAMPING_HIDES, hidden

    if hides := hidden(found.damping_share):
        terminal.warn([Diagnostic(DAMPING_HIDES, Label(where, hides), help=DAMPING_HELP)])


def show(name: str, found: Importance, args: Namespace, terminal: Terminal) -> None:
    """The answer as it was asked for."""
    from specc.importance.data import as_data

    if args.json:
        from specc.schemas.importance import Importance as Document

        terminal.json(Document.model_validate(as_data(name, found, args.top)))
    elif args.chart:
        chart(found, terminal)
    else:
        tables(found, terminal, args.top, args.adjacency)


def tables(found: Importance, terminal: Terminal, top: int | None, adjacency: Path | None) -> None:
    """The operations, the best path of every node count, and what is marked."""
    rows = [
        (
            op.name,
            op.kind,
            op.stage,
            f"{op.probability:.3f}" if op.probability is not None else f"{sum(op.present)}/{len(op.present)}",
            op.macs,
            f"{op.score:.5f}",
            "important" if op.important else "",
        )
        for op in found.top(top)
    ]
    columns = ("operation", "kind", "stage", "present", "macs", "score", "")
    terminal.table(columns, rows, right=("present", "macs", "score"))
    terminal.data("\n")
    settings, best = found.settings, found.best
    if found.paths:
        paths = [(p.nodes, f"{p.tps:.5f}", f"{p.mean_tas:.6f}", "*" if p is best else "") for p in few(found)]
        terminal.table(("nodes", "tps", "tps / nodes", ""), paths, right=("nodes", "tps", "tps / nodes"))
        macs = sum(op.macs for op in found.ops)
        share = sum(op.macs for op in found.ops if op.important) / macs if macs else 0.0
        of_macs = f", with {100 * share:.1f} % of the MACs" if macs or adjacency is None else ""
        terminal.data(
            f"\n{len(found.important)} of {len(found.ops)} operations are important{of_macs}\n"
            f"best path (*): {best.nodes} of {len(found.tensors)} feature maps, TPS {best.tps:.5f}\n"
        )
    else:
        terminal.data("there are no paths: edges make a cycle, or none leads from an input to an output\n")
    how = "directed" if settings.directed else "undirected"
    sampled = "expected degrees of" if settings.expected else "sampled" if adjacency is None else f"{adjacency}:"
    terminal.data(
        f"{how}; {sampled} {settings.subnets} sub-network{'' if settings.subnets == 1 and adjacency else 's'}; "
        f"coupling {settings.coupling:g}, "
        f"damping {settings.damping:g} ({100 * found.damping_share:.2g} % of all transitions)\n"
    )
    if several := next((op.name for op in found.ops if "#" in op.name), None):
        terminal.data(f"an operation of several inputs has a row for each: `{several}` is the way in by one of them\n")


def favoured(graph: Graph, found: Importance) -> str:
    """What is important of what `method tips` draws: the width groups. Says so where that tells nothing apart."""
    from specc.methods.tips.groups import drawn_groups

    groups = [group for group in drawn_groups(graph, {}, found.important) if len(group.choice.options) > 1]
    count = sum(group.important for group in groups)
    lines = []
    if found.all_important:
        lines.append("all operations are important: no sub-network may drop any, so the analysis cannot rank them\n")
    if groups:
        alike = ": `method tips` could favour none, and needs boost=1" if count in (0, len(groups)) else ""
        lines.append(f"{count} of {len(groups)} width groups are important{alike}\n")
    return "".join(lines)


def few(found: Importance) -> list[Any]:
    """The paths around the best one, where there are too many for a table."""
    place = found.paths.index(found.best)
    first = max(0, min(place - 10, len(found.paths) - 20))
    return list(found.paths[first : first + 20])


def chart(found: Importance, terminal: Terminal) -> None:
    """A bar for every feature map; those on the best path are marked."""
    table = {op.name: op for op in found.ops}
    on_path = {name for op in found.best_ops for name in (table[op].source, table[op].target)}
    highest = max(tensor.tas for tensor in found.tensors)
    width = max(len(tensor.name) for tensor in found.tensors)
    for tensor in found.tensors:
        mark = "*" if tensor.name in on_path else " "
        terminal.data(f"{mark} {tensor.name:<{width}} {tensor.tas:.5f} {bar(tensor.tas / highest)}\n")
    if found.paths:
        terminal.data(f"\n* on the best path: {found.best.nodes} feature maps, TPS {found.best.tps:.5f}\n")


def bar(share: float) -> str:
    """A bar of blocks, to an eighth of a character."""
    eighths = round(8 * BAR * share)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()
