"""Checks specs and says everything that is wrong with them. Writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.arguments import common, load_spec, parameters
from specc.cli.terminal import Terminal
from specc.diagnostics import Diagnostic, SpecError

SUMMARY = "check specs and say everything that is wrong"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help=".specc files; - for standard input")
    parameters(parser)
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    found: list[Diagnostic] = []
    fine = []
    for name in args.specs:
        try:
            load_spec(name, args.param)
            fine.append(name)
        except SpecError as error:
            found.extend(error.diagnostics)
    if args.json:
        from specc.diagnostics.render import as_json, in_order

        rows = [{"spec": name, "ok": name in fine} for name in args.specs]
        terminal.json({"ok": not found, "specs": rows, "diagnostics": [as_json(d) for d in in_order(found)]})
        return 1 if found else 0
    if found:
        terminal.diagnostics(found)
        return 1
    for name in fine:
        terminal.note(f"{name}: fine")
    return 0
