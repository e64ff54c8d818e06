"""The softmax in generated code."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written, channel_axis


def write(sites: Sites, elastic: bool) -> Written:
    return Written(call=f"torch.softmax({{0}}, {channel_axis(sites)})")


WRITERS = (Writer("softmax", write),)
