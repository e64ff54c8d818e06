"""Splitting in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.split.rules import SplitParams
from specc.ops.writing import Arg, Sites, Writer, Written, channel_axis, each, varies


def write(sites: Sites, elastic: bool) -> Written:
    """`x.chunk(2, 1)`; where some part is elastic, the sizes are the plan's. The results are views."""
    axis = channel_axis(sites)
    sizes = Arg(each(sites, lambda site: cast(SplitParams, site.op.params).parts), "channels")
    if varies(sizes.values):
        return Written(number=sizes, call=f"{{0}}.split({{number}}, {axis})")
    return Written(call=f"{{0}}.chunk({len(sites[0].outputs)}, {axis})")


WRITERS = (Writer("split", write),)
