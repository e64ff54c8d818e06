"""Class tokens in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.class_token.rules import ClassTokenParams
from specc.ops.writing import Arg, Sites, Writer, Written, each, varies


def write(sites: Sites, elastic: bool) -> Written:
    """`ClassToken(channels)`, or its elastic twin with `cut(channels)`."""
    channels = Arg(each(sites, lambda site: cast(ClassTokenParams, site.op.params).channels), "channels")
    if varies(channels.values):
        return Written("ElasticClassToken", "class_token", (channels,), planned=True, overwritable=True)
    return Written("ClassToken", "class_token", (channels,), overwritable=True, plain=True)


WRITERS = (Writer("class_token", write),)
