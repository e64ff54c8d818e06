"""Concatenation in generated code."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written, channel_axis


def write(sites: Sites, elastic: bool) -> Written:
    names = ", ".join(f"{{{i}}}" for i in range(len(sites[0].inputs)))
    return Written(call=f"torch.cat(({names}), {channel_axis(sites)})", overwritable=True, joins=True)


WRITERS = (Writer("concat", write),)
