"""Scaling by a gate in generated code."""

from __future__ import annotations

from typing import Final

from specc.ops.writing import Sites, Writer, Written

STRETCHED: Final = ("{1}", "{1}[:, None]", "{1}[:, :, None, None]")
"""The gate [N, C] against a vector [N, C], tokens [N, T, C], a map [N, C, H, W]."""


def write(sites: Sites, elastic: bool) -> Written:
    gate = STRETCHED[len(sites[0].inputs[0].space)]
    return Written(call=f"{{0}} * {gate}", overwritable=True)


WRITERS = (Writer("scale", write),)
