"""Prints the JSON Schema (draft 2020-12) of what a command prints with --json, or of a file that specc or a generated
project writes. Without a name it lists the documents that have a schema.

The schema of a .jsonl file describes one line.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.arguments import common
from specc.cli.failure import Failure
from specc.cli.terminal import Terminal

SUMMARY = "print the JSON Schema of an output or a file"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a command, or a file such as pareto.json")
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    from specc.schemas.catalogue import SCHEMAS, SchemaRow, SchemaRows, schema

    if args.name is None:
        if args.json:
            terminal.json(SchemaRows(tuple(SchemaRow(name=s.name, summary=s.summary) for s in SCHEMAS)))
        else:
            terminal.table(("name", "document"), [(s.name, s.summary) for s in SCHEMAS])
        return 0
    found = schema(args.name)
    if found is None:
        from specc.diagnostics.near import near_or_all

        raise Failure(f"`{args.name}` has no schema", near_or_all(args.name, [s.name for s in SCHEMAS]))
    import json

    terminal.data(json.dumps(found.json_schema(), indent=2, ensure_ascii=False) + "\n")
    return 0
