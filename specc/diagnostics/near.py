"""Near names for help lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

LISTED: Final = 20
"""Names that a help line lists."""


def near(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str:
    """`did you mean `conv`?`, or nothing where no candidate is near. `ReLU` is `relu` but for its letters' size.

    `cutoff` is how alike they must be, from 0 to 1."""
    from difflib import get_close_matches

    names = sorted(set(candidates))
    close = [c for c in names if c.lower() == name.lower()] or get_close_matches(name, names, n=3, cutoff=cutoff)
    return f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""


def near_or_all(name: str, names: Sequence[str]) -> str:
    """The names near a wrong one, or where none is, all of them, as far as they fit in a line."""
    listed = ", ".join(f"`{n}`" for n in names[:LISTED])
    return near(name, names, cutoff=0.5) or f"there are {listed}{', ...' if len(names) > LISTED else ''}"
