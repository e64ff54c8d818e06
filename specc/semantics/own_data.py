"""`data own(path="pixels.py")`: the Python file that lies beside the spec, which goes with its project."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from specc.diagnostics import Findings
from specc.ir.parameter import Call
from specc.semantics.beside import ANOTHER_NAME, is_generated, taken
from specc.semantics.settings import BAD_SETTING
from specc.source import Source
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
    path = PurePath(str(data["path"]))

    def wrong(message: str, help: str) -> None:
        findings.report(BAD_SETTING, section.span, message, help=help)

    if not path.name:
        wrong(f'`data own` reads a Python file, and "{data["path"]}" is a folder', 'write data own(path="pixels.py")')
        return None
    if ".." in path.parts[1:] and path.parts[0] != ".." and not path.is_absolute():
        straight = os.path.normpath(path).replace(os.sep, "/")
        wrong("this path leads out of a folder that it went into", f'write data own(path="{straight}")')
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
