"""Maps as tokens and tokens as maps, in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.rearrange.rules import ToMapParams
from specc.ops.writing import Arg, Sites, Writer, Written, each


def to_map(sites: Sites, elastic: bool) -> Written:
    """`x.transpose(1, 2).unflatten(2, (height, -1))`."""
    height = Arg(each(sites, lambda site: cast(ToMapParams, site.op.params).height), "size")
    return Written(number=height, call="{0}.transpose(1, 2).unflatten(2, ({number}, -1))")


def to_tokens(sites: Sites, elastic: bool) -> Written:
    return Written(call="{0}.flatten(2).transpose(1, 2)")


WRITERS = (Writer("to_map", to_map), Writer("to_tokens", to_tokens))
