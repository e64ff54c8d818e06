"""Flattening in generated code."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written


def write(sites: Sites, elastic: bool) -> Written:
    """Channel by channel; the channels of tokens [N, T, C] stand last and are brought to the front."""
    tokens = len(sites[0].inputs[0].space) == 1
    return Written(call="{0}.transpose(1, 2).flatten(1)" if tokens else "{0}.flatten(1)")


WRITERS = (Writer("flatten", write),)
