"""Writes a commented starter spec."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from pathlib import Path

from specc.cli.arguments import common
from specc.cli.failure import Failure, UsageError, reason
from specc.cli.terminal import Terminal

SUMMARY = "write a commented starter spec"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the network's name: letters, digits and underscores")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (NAME.specc); - for standard output")
    parser.add_argument("--template", default="mobilenet", metavar="KIND", help=", ".join(starters()) + " (mobilenet)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    text = starter(args.template, args.name)
    if args.json:
        from specc.schemas.files import Started
    output = args.output or f"{args.name}.specc"
    if output == "-":
        if args.json:
            terminal.json(Started(file=None, text=text))
        else:
            terminal.data(text)
        return 0
    path = Path(output)
    if path.exists() and not args.force:
        raise Failure(f"{output} exists", "--force overwrites it, -o FILE writes elsewhere")
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Failure(f"cannot write {output}: {reason(error)}") from None
    if args.json:
        terminal.json(Started(file=output, text=text))
    terminal.note(f"wrote {output}; next: specc plan {output}")
    return 0


def starters() -> tuple[str, ...]:
    """The starters there are: the files of `starters/`."""
    return tuple(sorted(path.stem for path in (Path(__file__).parent.parent / "starters").glob("*.specc")))


def starter(kind: str, name: str) -> str:
    """A starter spec with the network's name in it. Raises UsageError where there is no such starter or name."""
    if kind not in starters():
        raise UsageError(f"there is no template `{kind}`", f"there are {', '.join(starters())}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        raise UsageError(
            f"`{name}` cannot name a network", "letters, digits and underscores, not starting with a digit"
        )
    path = Path(__file__).parent.parent / "starters" / f"{kind}.specc"
    return path.read_text(encoding="utf-8").replace("NAME", name)
