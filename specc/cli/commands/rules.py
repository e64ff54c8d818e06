"""Lists every rule that a spec must respect."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.arguments import common
from specc.cli.terminal import Terminal

SUMMARY = "list the rules that specs must respect"


def arguments(parser: ArgumentParser) -> None:
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.diagnostics.catalogue import all_rules

    rules = all_rules()
    if args.json:
        from specc.schemas.told import RuleRow, Rules

        terminal.json(Rules(tuple(RuleRow(code=r.code, name=r.name, summary=r.summary) for r in rules)))
    else:
        terminal.table(("code", "name", "summary"), [(rule.code, rule.name, rule.summary) for rule in rules])
        terminal.note("\n`specc explain CODE` explains one")
    return 0
