"""Explains a rule: why it exists, and a wrong and a right example."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.arguments import common
from specc.cli.failure import Failure
from specc.cli.terminal import Terminal

SUMMARY = "explain a rule, by its code or its name"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("rule", metavar="CODE", help="as in E203, or the rule's name, as in unknown-name")
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.diagnostics.catalogue import all_rules

    rules = all_rules()
    for rule in rules:
        if args.rule.lower() in (rule.code.lower(), rule.name):
            if args.json:
                fields = ("code", "name", "summary", "explanation")
                terminal.json({field: getattr(rule, field) for field in fields})
            else:
                terminal.data(f"{rule.code} {rule.name}: {rule.summary}\n\n{rule.explanation.strip()}\n")
            return 0
    from specc.assignments import near

    known = [rule.code for rule in rules] + [rule.name for rule in rules]
    help = near(args.rule, known)
    raise Failure(f"there is no rule `{args.rule}`", help if help.startswith("did") else "`specc rules` lists them all")
