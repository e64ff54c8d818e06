"""Checks specs and reports every error. Writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.arguments import common, load_spec, parameters, strict
from specc.cli.terminal import Terminal
from specc.diagnostics import Diagnostic, SpecError, as_errors

SUMMARY = "check specs and report every error"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help=".specc files; - for standard input")
    parameters(parser)
    strict(parser)
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    found: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    fine: dict[str, int] = {}
    for name in args.specs:
        try:
            told = load_spec(name, args.param).warnings
            if args.strict:
                found.extend(as_errors(told))
            else:
                warnings.extend(told)
            if not (args.strict and told):
                fine[name] = len(told)
        except SpecError as error:
            found.extend(error.diagnostics)
    if args.json:
        from specc.diagnostics.render import documents
        from specc.schemas.told import Checked, Verdict

        terminal.warn(warnings)
        verdicts = tuple(Verdict(spec=name, ok=name in fine) for name in args.specs)
        terminal.json(Checked(ok=not found, specs=verdicts, diagnostics=documents(found)))
        return 1 if found else 0
    if found:
        terminal.diagnostics(found, warnings)
        return 1
    terminal.warn(warnings)
    for name, count in fine.items():
        terminal.note(f"{name}: fine{f', with {count} warning' if count else ''}{'s' if count > 1 else ''}")
    return 0
