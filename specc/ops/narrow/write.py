"""The first channels of a tensor in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.narrow.rules import NarrowParams
from specc.ops.writing import Arg, Sites, Writer, Written, channel_axis, each


def write(sites: Sites, elastic: bool) -> Written:
    out = Arg(each(sites, lambda site: cast(NarrowParams, site.op.params).out), "channels")
    return Written(number=out, call="{0}[:, : {number}]" if channel_axis(sites) == 1 else "{0}[..., : {number}]")


WRITERS = (Writer("narrow", write),)
