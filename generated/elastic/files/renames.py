"""The names that the first version of specc gave, where they are others now: of operations, blocks and choices.

A table has, for each scope by its first name, what its parts were called and are called now:

    {"s1.b1": {"norm1": "norm2", "conv": "conv2", "norm2": "norm3"}}

So the weight `s1.b1.conv.weight` is `s1.b1.conv2.weight` now, and the choice `s1.b1.conv.width` is
`s1.b1.conv2.width`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TypeAlias

Renamed: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each scope, by its first name, the parts that are called otherwise now: first name, name now."""


def renames(pairs: Iterable[tuple[str, str]]) -> Renamed:
    """The table of names in full, as (first name, name now)."""
    found: dict[str, dict[str, str]] = {}
    for first, now in pairs:
        parts = first.split(".")
        for place, (before, after) in enumerate(zip(parts, now.split("."), strict=True)):
            if before != after:
                found.setdefault(".".join(parts[:place]), {})[before] = after
    return found


def present(name: str, table: Renamed) -> str:
    """What a thing of this first name is called now: a weight, a choice, an operation or a block."""
    parts = name.split(".")
    scopes = (".".join(parts[:place]) for place in range(len(parts)))
    return ".".join(
        table.get(scope, {}).get(part, part) for scope, part in zip(scopes, parts, strict=True)
    )


def names_now(names: Iterable[str], known: Set[str], table: Renamed) -> dict[str, str]:
    """What each name of a file is called now, where the file does not say of which version it is.

    They are the names of now if all are `known`, and else first names.
    """
    found = {*names}
    return {name: name if found <= known else present(name, table) for name in found}


def inverse(table: Renamed) -> Renamed:
    """The table from names now to first names."""
    return {
        present(scope, table): {now: first for first, now in parts.items()}
        for scope, parts in table.items()
    }
