"""Sums in generated code."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written


def write(sites: Sites, elastic: bool) -> Written:
    """`x + y`: of two the shortcut first, as the formula is mostly written; or `y += x` where more follows."""
    count = len(sites[0].inputs)
    order = range(count) if count > 2 else reversed(range(count))
    call = " + ".join(f"{{{i}}}" for i in order)
    return Written(call=call, update="{0} += {1}" if count == 2 else "", overwritable=True)


WRITERS = (Writer("add", write),)
