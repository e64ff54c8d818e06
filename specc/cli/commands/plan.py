"""Says what compiling a spec would give: how many sub-networks, what they cost, how they are trained, which files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli import arguments as shared
from specc.cli.terminal import Terminal

SUMMARY = "say what compiling would give, before any GPU hour"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="compare with the project that stands there")


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.pipeline import plan_project

    plan = plan_project(shared.load(args), args.output)
    if args.json:
        terminal.json(plan)
    return 0
