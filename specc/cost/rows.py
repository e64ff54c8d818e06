"""The row of an operation in a report of costs."""

from __future__ import annotations

from specc.frozen import frozen


@frozen
class OpRow:
    """One present op in a report; `out` is its output's shape without the batch: (channels, height, width) of a map,
    (tokens, features) of tokens."""

    name: str
    kind: str
    stage: str
    params: int
    macs: int
    out: tuple[int, ...]
