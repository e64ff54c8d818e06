"""A map at another's size in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.match_size.rules import MatchSizeParams
from specc.ops.writing import Sites, Writer, Written


def write(sites: Sites, elastic: bool) -> Written:
    """`F.interpolate(x, y.shape[2:], mode="bilinear")`."""
    mode = cast(MatchSizeParams, sites[0].op.params).mode
    said = "" if mode == "nearest" else f', mode="{mode}"'
    return Written(call=f"F.interpolate({{0}}, {{1}}.shape[2:]{said})")


WRITERS = (Writer("match_size", write),)
