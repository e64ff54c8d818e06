"""Near names for help lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def near(name: str, candidates: Iterable[str], *, most: int = 3, least: float = 0.6) -> str:
    """`did you mean `conv`?`, or nothing where no candidate is near, or the name is a candidate itself.

    `ReLU` is `relu` but for its letters' size; other candidates are at least so much like the name (1: the same).
    """
    from difflib import get_close_matches

    names = sorted(set(candidates) - {name})
    close = [c for c in names if c.lower() == name.lower()] or get_close_matches(name, names, n=most, cutoff=least)
    return f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""


def near_or_all(name: str, candidates: Collection[str], *, most: int = 20) -> str:
    """The same, or a line with the candidates where none is near."""
    listed = ", ".join(f"`{c}`" for c in list(candidates)[:most])
    more = ", ..." if len(candidates) > most else ""
    return near(name, candidates, least=0.5) or f"there are {listed}{more}"
