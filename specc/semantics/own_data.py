"""`data own(path="pixels.py")`, `module(path="mine.py", ..)`: Python files that lie beside the spec, which go with its
project."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from specc.diagnostics import Findings
from specc.ir.parameter import Call
from specc.semantics.beside import ANOTHER_NAME, is_generated, taken
from specc.semantics.settings import BAD_SETTING
from specc.source import Source, Span
from specc.syntax import ast

Read = Callable[[Path, str, str, Findings], Source | None]


def read_own_data(
    data: Call | None, section: ast.Section | None, folder: Path, shown: str, read: Read, findings: Findings
) -> Source | None:
    """The file, if it lies in the spec's `folder` or below; one that is elsewhere is found when the project trains.

    It goes with the project under the path that is written. Reports one that is a file of the project's own, by itself
    or by the link that it is.
    """
    if data is None or data.name != "own" or section is None or not data["path"]:
        return None
    return read_beside(str(data["path"]), section.span, "data own", folder, shown, read, findings)


def read_module(path: str, span: Span, folder: Path, shown: str, read: Read, findings: Findings) -> Source | None:
    """The file of a `module(path=..)`, likewise; reported where it is not there."""
    before = len(findings.diagnostics)
    source = read_beside(path, span, "module(..)", folder, shown, read, findings)
    if source is None and len(findings.diagnostics) == before:
        help = "it is a `.py` file in the spec's folder, or in one below it"
        findings.report(BAD_SETTING, span, f'there is no "{path}" beside the spec', help=help)
    return source


def read_beside(
    written: str, span: Span, what: str, folder: Path, shown: str, read: Read, findings: Findings
) -> Source | None:
    """A Python file in the spec's `folder` or below, under the path that is written; None where it is elsewhere."""
    path = PurePath(written)

    def wrong(message: str, help: str) -> None:
        findings.report(BAD_SETTING, span, message, help=help)

    if not path.name:
        wrong(f'`{what}` reads a Python file, and "{written}" is a folder', 'write path="pixels.py"')
        return None
    if ".." in path.parts[1:] and path.parts[0] != ".." and not path.is_absolute():
        straight = os.path.normpath(path).replace(os.sep, "/")
        wrong("this path leads out of a folder that it went into", f'write path="{straight}"')
        return None
    root = folder.resolve()
    try:
        found = (root / path).resolve()
        inside = not path.is_absolute() and path.parts[0] != ".." and found.is_relative_to(root)
        for place in (path, found.relative_to(root)) if inside else ():
            if is_generated(place):
                wrong(taken(place), ANOTHER_NAME)
                return None
        if not inside or path.suffix != ".py" or not found.is_file():
            return None
    except (OSError, ValueError, RuntimeError):
        return None
    return read(found, path.as_posix(), (Path(shown).parent / path).as_posix(), findings)
