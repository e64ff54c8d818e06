"""Draws a network: stages as lanes, blocks as boxes, skippable parts as dashed detours, importance as colour.

html and svg are self-contained pictures, with details on hover; mermaid and dot are short text diagrams of the blocks,
for READMEs and papers. With --at, what the sub-network skips is pale.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli import arguments as shared
from specc.cli.failure import Failure, reason
from specc.cli.terminal import Terminal
from specc.diagnostics import SpecError

if TYPE_CHECKING:
    from specc.importance.marks import Marks
    from specc.ir.choice import Assignment
    from specc.pipeline import Compiled

SUMMARY = "draw the network"
FORMATS = ("html", "svg", "mermaid", "dot")
ENDINGS = ((".svg", "svg"), (".mmd", "mermaid"), (".mermaid", "mermaid"), (".dot", "dot"), (".gv", "dot"))


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="output file (standard output)")
    text = "output format (by the file extension, else html)"
    parser.add_argument("--format", choices=FORMATS, help=text)
    shared.at(parser, None, "draw one sub-network")
    parser.add_argument("--plain", action="store_true", help="no importance: colour by kind of operation")


def run(args: Namespace, terminal: Terminal) -> int:
    compiled = shared.load(args, terminal)
    at = None
    if args.at is not None:
        from specc.cli.assignment import assignment

        at = assignment(compiled, args.at, args.seed, terminal)
    format = args.format or by_ending(args.output)
    with terminal.busy("drawing"):
        found = None if args.plain or format in ("mermaid", "dot") else importance(compiled, terminal)
        drawn = draw(compiled, at, found, format)
    if args.json:
        from specc.schemas.files import Drawing
    if args.output in (None, "-"):
        if args.json:
            terminal.json(Drawing.model_validate({"spec": compiled.name, "format": format, "text": drawn}))
        else:
            terminal.data(drawn)
        return 0
    try:
        Path(args.output).write_text(drawn, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Failure(f"cannot write {args.output}: {reason(error)}") from None
    terminal.note(f"wrote {args.output}")
    if args.json:
        terminal.json(Drawing.model_validate({"spec": compiled.name, "format": format, "output": args.output}))
    return 0


def importance(compiled: Compiled, terminal: Terminal) -> Marks | None:
    """What the importance analysis says; a note where it has no answer."""
    from specc.importance import settings_of
    from specc.importance.marks import marks_of

    try:
        return marks_of(compiled.graph, settings_of(compiled.model.method))
    except SpecError as error:
        terminal.note(f"note: drawn without importance: {error.diagnostics[0].primary.message}")
        return None


def draw(compiled: Compiled, at: Assignment | None, found: Marks | None, format: str) -> str:
    from specc.picture import build, picture

    return picture(build(compiled.graph, at, found), format)


def by_ending(output: str | None) -> str:
    """The format that a file's name asks for."""
    for ending, format in ENDINGS:
        if output is not None and output.lower().endswith(ending):
            return format
    return "html"
