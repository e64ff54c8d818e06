"""Products and differences in generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.ops.writing import Sites, Writer, Written

STRETCHED: Final[Mapping[tuple[int, int], str]] = {(0, 1): "[:, None]", (0, 2): "[:, :, None, None]"}
"""What a vector needs beside tokens or a map."""


def pointwise(kind: str, sign: str) -> Writer:
    def write(sites: Sites, elastic: bool) -> Written:
        left, right = (len(tensor.space) for tensor in sites[0].inputs)
        first, second = STRETCHED.get((left, right), ""), STRETCHED.get((right, left), "")
        return Written(call=f"{{0}}{first} {sign} {{1}}{second}", overwritable=True)

    return Writer(kind, write)


WRITERS = (pointwise("multiply", "*"), pointwise("subtract", "-"))
