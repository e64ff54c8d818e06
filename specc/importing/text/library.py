"""The library's blocks where they match exactly."""

from __future__ import annotations

from collections.abc import Sequence

from specc.importing.text.solve import Block
from specc.importing.text.terms import Value
from specc.importing.text.tree import Group


def library_block(calls: Sequence[Group]) -> tuple[Block, list[tuple[tuple[str, Value], ...]]] | None:
    return None
