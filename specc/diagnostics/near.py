"""Near names for help lines."""

from __future__ import annotations

from collections.abc import Iterable


def near(name: str, candidates: Iterable[str]) -> str:
    """`did you mean `conv`?`, or nothing where no candidate is near. `ReLU` is `relu` but for its letters' size."""
    from difflib import get_close_matches

    names = sorted(set(candidates))
    close = [c for c in names if c.lower() == name.lower()] or get_close_matches(name, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""
