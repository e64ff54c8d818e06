"""Errors that somebody else's Python raised, as one line that names the place in their file."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb


def raised(error: BaseException, folder: Path) -> str:
    """An error and the last line of a folder's files that it passed: `ValueError: no rows (data.py, line 12)`."""
    said: str = error.msg if isinstance(error, SyntaxError) else str(error)
    text = ": ".join([type(error).__name__, *said.splitlines()[:1]])
    places = [(frame.filename, frame.lineno) for frame in extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    home = folder.resolve()
    for file, line in reversed(places):
        if home in Path(file).resolve().parents:
            return f"{text} ({Path(file).resolve().relative_to(home)}, line {line})"
    return text
