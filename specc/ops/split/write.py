"""Splitting in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.runs import is_elastic
from specc.ops.split.rules import SplitParams
from specc.ops.writing import Arg, Sites, Writer, Written, channel_axis


def write(sites: Sites, elastic: bool) -> Written:
    """`x.chunk(2, 1)`; where parts are elastic or differ, `x.split(sizes, 1)`. The results are views."""
    axis = channel_axis(sites)
    sizes = [cast(SplitParams, site.op.params).parts for site in sites]
    if all(len(set(parts)) == 1 and not is_elastic(parts[0]) for parts in sizes):
        return Written(call=f"{{0}}.chunk({len(sites[0].outputs)}, {axis})")
    return Written(number=Arg(tuple(sizes), "channels"), call=f"{{0}}.split({{number}}, {axis})")


WRITERS = (Writer("split", write),)
