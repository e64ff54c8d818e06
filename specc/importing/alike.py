"""Of several ways to say one operation that which the other modules of its place have.

A grid of 7 x 7 cells on a map of 7 x 7 pixels is a window, too. Where the same module stands in front of larger maps,
it is told as it is there, so that both are one block.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from specc.importing.network import Operation


def told_alike(
    operations: Sequence[Operation], otherwise: Mapping[str, Sequence[Mapping[str, object]]]
) -> tuple[Operation, ...]:
    """The operations, of which some have other arguments that mean the same."""
    said: dict[str, Counter[frozenset[str]]] = {}
    for operation in operations:
        if not otherwise[operation.name]:
            said.setdefault(place(operation), Counter())[frozenset(operation.parameters)] += 1
    found = []
    for operation in operations:
        common = said.get(place(operation), Counter())
        forms = (operation.parameters, *otherwise[operation.name])
        best = max(forms, key=lambda form: common[frozenset(form)])  # the first of several
        found.append(replace(operation, parameters=dict(best)))
    return tuple(found)


def place(operation: Operation) -> str:
    """The path of an operation's module without its numbers."""
    return re.sub(r"\d+", "#", operation.stack[-1].path if operation.stack else "")
