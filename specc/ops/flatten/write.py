"""Flattening in generated code."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written


def write(sites: Sites, elastic: bool) -> Written:
    return Written(call="{0}.flatten(1)")


WRITERS = (Writer("flatten", write),)
