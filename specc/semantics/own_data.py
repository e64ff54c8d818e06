"""`data own(path="pixels.py")`: the Python file that lies beside the spec, which goes with its project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Final

from specc.diagnostics import Findings
from specc.ir.parameter import Call
from specc.semantics.settings import BAD_SETTING
from specc.source import Source
from specc.syntax import ast

SCRIPTS: Final = frozenset(("model.py", "space.py", "train.py", "search.py", "export.py", "bench.py"))
PARTS: Final = "elastic"

Read = Callable[[Path, str, str, Findings], Source | None]


def read_own_data(
    data: Call | None, section: ast.Section | None, folder: Path, shown: str, read: Read, findings: Findings
) -> Source | None:
    """The file, if it lies in the spec's `folder` or below; one that is elsewhere is found when the project trains.

    Reports a path that is a file of the project's own.
    """
    if data is None or data.name != "own" or section is None or not data["path"]:
        return None
    path = PurePath(str(data["path"]))
    if str(path) in SCRIPTS or path.parts[0] == PARTS:
        message = f"`{path.as_posix()}` is a file of the generated project"
        findings.report(BAD_SETTING, section.span, message, help="call yours otherwise, as in pixels.py")
        return None
    root = folder.resolve()
    try:
        found = (root / path).resolve()
        if path.is_absolute() or path.suffix != ".py" or not found.is_relative_to(root) or not found.is_file():
            return None
    except (OSError, ValueError, RuntimeError):
        return None
    name = found.relative_to(root).as_posix()
    return read(found, name, (Path(shown).parent / name).as_posix(), findings)
