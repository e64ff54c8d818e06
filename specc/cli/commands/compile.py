"""Writes the PyTorch project of a spec into a folder.

The folder is replaced as a whole, and only if specc wrote it: anything else is refused without --force.
With --at the project is one static sub-network in plain PyTorch layers. With --check nothing is written:
exit 1 says that the folder differs.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli import arguments as shared
from specc.cli.assignment import at_argument
from specc.cli.terminal import Terminal

SUMMARY = "write the PyTorch project"


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the project's folder")
    at_argument(parser, None, "bind the choices to one sub-network")
    parser.add_argument("--force", action="store_true", help="replace a folder that specc did not write")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the folder would change")


def run(args: Namespace, terminal: Terminal) -> int:
    return 0
