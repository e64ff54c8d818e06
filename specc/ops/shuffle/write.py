"""Channel shuffle in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.shuffle.rules import ShuffleParams
from specc.ops.writing import Arg, Sites, Writer, Written, channel_axis, each


def write(sites: Sites, elastic: bool) -> Written:
    """The channels as a table with a row a group, read column by column."""
    axis = channel_axis(sites)
    groups = Arg(each(sites, lambda site: cast(ShuffleParams, site.op.params).groups), "size")
    after = axis + 1
    call = f"{{0}}.unflatten({axis}, ({{number}}, -1)).transpose({axis}, {after}).flatten({axis}, {after})"
    return Written(number=groups, call=call)


WRITERS = (Writer("shuffle", write),)
