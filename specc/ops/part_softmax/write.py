"""The softmax over parts in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.part_softmax.rules import PartSoftmaxParams
from specc.ops.writing import Arg, Sites, Writer, Written, channel_axis, each


def write(sites: Sites, elastic: bool) -> Written:
    """The channels as a table with a row a part."""
    axis = channel_axis(sites)
    parts = Arg(each(sites, lambda site: cast(PartSoftmaxParams, site.op.params).parts), "size")
    call = f"{{0}}.unflatten({axis}, ({{number}}, -1)).softmax({axis}).flatten({axis}, {axis + 1})"
    return Written(number=parts, call=call)


WRITERS = (Writer("part_softmax", write),)
