"""Lists the choices of a network and counts its sub-networks: exactly, each distinct one once."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.assignments import option_json, show_options
from specc.cli import arguments as shared
from specc.cli.terminal import Terminal

SUMMARY = "list the choices and count the sub-networks"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.subnets.space import size

    graph = shared.load(args, terminal).graph
    with terminal.busy("counting"):
        count = size(graph)
    if args.json:
        from specc.schemas.costs import Choice, Space

        choices = tuple(
            Choice(name=c.name, kind=c.kind, options=tuple(option_json(c, option) for option in c.options))
            for c in graph.choices
        )
        terminal.json(Space(choices=choices, size=str(count)))
        return 0
    if graph.choices:
        rows = [(c.name, c.kind, len(c.options), show_options(c)) for c in graph.choices]
        terminal.table(("choice", "kind", "count", "options"), rows, right=("count",))
        terminal.data("\n")
    terminal.data(f"{count:,} sub-network{'' if count == 1 else 's'}\n")
    return 0
