"""Sums in generated code."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written


def write(sites: Sites, elastic: bool) -> Written:
    """`x + y`: the shortcut first, as the formula is mostly written."""
    order = reversed(range(len(sites[0].inputs)))
    return Written(call=" + ".join(f"{{{i}}}" for i in order), overwritable=True)


WRITERS = (Writer("add", write),)
