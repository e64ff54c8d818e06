"""Formats specs in place. Comments stay, meaning does not change, and a second run changes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from specc.cli.arguments import common, standard_source
from specc.cli.failure import Failure, reason
from specc.cli.terminal import Terminal
from specc.diagnostics import Findings, SpecError
from specc.source import Source

SUMMARY = "format specs in place"


def arguments(parser: ArgumentParser) -> None:
    text = ".specc files; - reads standard input and writes standard output"
    parser.add_argument("files", nargs="+", metavar="FILE", help=text)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    common(parser)


def run(args: Namespace, terminal: Terminal) -> int:
    formatted = [(name, *both_texts(name)) for name in args.files]
    changed = [name for name, old, new in formatted if old != new]
    if not args.check:
        for name, old, new in formatted:
            if name == "-":
                if not args.json:
                    terminal.data(new)
            elif old != new:
                replace_text(Path(name), new)
    if args.json:
        from specc.schemas.files import Formatted, FormattedFile

        rows = tuple(FormattedFile(file=name, changed=old != new) for name, old, new in formatted)
        text = standard_text(formatted)
        terminal.json(Formatted(files=rows) if text is None else Formatted(files=rows, text=text))
    else:
        for name in changed if args.check else (name for name in changed if name != "-"):
            terminal.note(f"{name}: {'would be formatted' if args.check else 'formatted'}")
        if not changed and args.files != ["-"]:
            terminal.note(f"{len(formatted)} {'file is' if len(formatted) == 1 else 'files are'} formatted already")
    return 1 if args.check and changed else 0


def standard_text(formatted: list[tuple[str, str, str]]) -> str | None:
    """What standard input becomes, where it was given."""
    return next((new for name, _, new in formatted if name == "-"), None)


def both_texts(name: str) -> tuple[str, str]:
    """A file as it is and as it should be. Raises SpecError where it does not parse."""
    from specc.syntax.format import format_spec
    from specc.syntax.parse import parse

    source = standard_source() if name == "-" else read(name)
    findings = Findings()
    tree = parse(source, findings)
    if tree is None or findings:
        raise SpecError(findings.diagnostics)
    return source.text, format_spec(tree)


def read(name: str) -> Source:
    """A file's text with its line ends as they are."""
    try:
        return Source(name, Path(name).read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {name}: {reason(error)}") from None


def replace_text(path: Path, text: str) -> None:
    """Writes a file aside and renames it over the old one: an interruption leaves one or the other whole."""
    path = path.resolve()
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_text(text, encoding="utf-8", newline="")
        aside.chmod(path.stat().st_mode & 0o777)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
