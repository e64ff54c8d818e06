"""The way back from a spec's weights to the network that it was imported from.

`specc import` writes it into the metadata of net.safetensors: for each tensor of ours where it came from. `export.py
--to-original` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from elastic.files.documents import read_json

METADATA: Final = "specc.original"
"""The key of the file's metadata that holds the entries."""
UNUSED: Final = "specc.unused"
"""The key of names that only the original has, as nothing depends on them: a JSON list."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One of our tensors: its name, where it comes from, and the shapes that this has.

    `how` it became ours: `same` are its numbers in their order, `join` several sources one after
    another, `rows A,B,C by 1,0,2` rows counted by three digits of these sizes, in another order.
    """

    name: str
    sources: tuple[str, ...]
    how: str
    shapes: tuple[tuple[int, ...], ...]


def entries_text(entries: Iterable[Entry]) -> str:
    """Entries as the metadata holds them."""
    return json.dumps(
        [[e.name, list(e.sources), e.how, [list(shape) for shape in e.shapes]] for e in entries]
    )


def read_entries(text: str) -> list[Entry]:
    """The reverse of `entries_text`. Raises ValueError for any other text."""
    try:
        rows = read_json(text)
        entries = [
            Entry(
                str(name),
                tuple(map(str, sources)),
                str(how),
                tuple(tuple(map(int, s)) for s in shapes),
            )
            for name, sources, how, shapes in rows
        ]
        for entry in entries:
            if entry.how not in ("same", "join"):
                digits(entry.how)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the names of the original are corrupt: {error}") from None
    return entries


def digits(how: str) -> tuple[list[int], list[int]]:
    """The sizes and the order of digits in `rows A,B,C by 1,0,2`. Raises ValueError for another text."""
    sizes, by, order = how.removeprefix("rows ").partition(" by ")
    found = [int(size) for size in sizes.split(",")], [int(i) for i in order.split(",")]
    if not by or sorted(found[1]) != list(range(len(found[0]))):
        raise ValueError(f"`{how}` is no order of rows")
    return found


def to_original(
    entries: Iterable[Entry], state: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The original's tensors from ours, and the names of those that can't be had: of what is left out or narrower."""
    found: dict[str, Any] = {}
    missing: list[str] = []
    for entry in entries:
        value = state.get(entry.name)
        if value is None or value.numel() != sum(prod(shape) for shape in entry.shapes):
            missing.extend(entry.sources)
        else:
            found.update(
                zip(entry.sources, given_back(value, entry.how, entry.shapes), strict=True)
            )
    return found, missing


def given_back(value: Any, how: str, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """The sources of one tensor of ours."""
    if how.startswith("rows "):
        sizes, order = digits(how)
        turned = value.reshape(*(sizes[i] for i in order), -1)
        back = [order.index(i) for i in range(len(order))]
        value = turned.permute(*back, len(order))
    if len(shapes) == 1:
        return [value.reshape(shapes[0]).contiguous()]
    rows = [shape[0] for shape in shapes]
    parts = value.reshape(sum(rows), -1).split(rows)
    return [part.reshape(shape).contiguous() for part, shape in zip(parts, shapes, strict=True)]
