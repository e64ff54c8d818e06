"""Draws a network: stages as lanes, blocks as boxes, what can be left out as dashed detours, importance as colour.

html and svg are pictures in one file, with figures where the pointer rests; mermaid and dot are short texts of the
blocks, for READMEs and papers. With --at one sub-network is drawn, and what it leaves out stays pale.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli import arguments as shared
from specc.cli.failure import Failure, reason
from specc.cli.terminal import Terminal

if TYPE_CHECKING:
    from specc.ir.choice import Assignment
    from specc.pipeline import Compiled

SUMMARY = "draw the network"
FORMATS = ("html", "svg", "mermaid", "dot")
ENDINGS = ((".svg", "svg"), (".mmd", "mermaid"), (".mermaid", "mermaid"), (".dot", "dot"), (".gv", "dot"))


def arguments(parser: ArgumentParser) -> None:
    shared.spec(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; standard output if not given")
    text = "what to write; by the file's ending if not given, else html"
    parser.add_argument("--format", choices=FORMATS, help=text)
    shared.at(parser, None, "draw one sub-network")


def run(args: Namespace, terminal: Terminal) -> int:
    compiled = shared.load(args)
    at = None
    if args.at is not None:
        from specc.cli.assignment import assignment

        at = assignment(compiled, args.at, args.seed)
    format = args.format or by_ending(args.output)
    with terminal.busy("drawing"):
        drawn = draw(compiled, at, format)
    if args.output in (None, "-"):
        if args.json:
            terminal.json({"spec": compiled.name, "format": format, "text": drawn})
        else:
            terminal.data(drawn)
        return 0
    try:
        Path(args.output).write_text(drawn, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Failure(f"cannot write {args.output}: {reason(error)}") from None
    terminal.note(f"wrote {args.output}")
    if args.json:
        terminal.json({"spec": compiled.name, "format": format, "output": args.output})
    return 0


def draw(compiled: Compiled, at: Assignment | None, format: str) -> str:
    from specc.analysis.importance import settings_of
    from specc.analysis.marks import marks_if_any
    from specc.analysis.picture import build, picture

    marks = marks_if_any(compiled.graph, settings_of(compiled.model.method))
    return picture(build(compiled.graph, at, marks), format)


def by_ending(output: str | None) -> str:
    """The format that a file's name asks for."""
    for ending, format in ENDINGS:
        if output is not None and output.lower().endswith(ending):
            return format
    return "html"
