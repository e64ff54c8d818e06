"""Near names for help lines."""

from __future__ import annotations

from collections.abc import Iterable


def near(name: str, candidates: Iterable[str]) -> str:
    """`did you mean `conv`?`, or nothing where no candidate is near."""
    from difflib import get_close_matches

    close = get_close_matches(name, sorted(set(candidates)), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""
