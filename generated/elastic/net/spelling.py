"""What a sub-network is called: `width=0.5,s1.depth=2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elastic.run.numerals import written


def spelled(assignment: Mapping[str, Any]) -> str:
    """As flags take it: `width=0.5,s1.depth=2`; `-` where there is nothing to choose."""
    pairs = (f"{name}={written(value)}" for name, value in assignment.items())
    return ",".join(pairs) or "-"


def short(assignment: Mapping[str, Any], most: int = 48) -> str:
    """`spelled` for tables: of a long one only the beginning."""
    text = spelled(assignment)
    if len(text) <= most:
        return text
    kept = text[: most - 4].rpartition(",")[0]
    return f"{kept},..."
