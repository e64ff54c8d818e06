"""Learned positions in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.position.rules import PositionParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> PositionParams:
    return cast(PositionParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`Position(tokens, channels)`, or its elastic twin with `cut(channels)`."""
    tokens = Arg(each(sites, lambda site: params(site).tokens), "size")
    channels = Arg(each(sites, lambda site: params(site).channels), "channels")
    if varies(channels.values):
        return Written("ElasticPosition", "position", (tokens, channels), planned=True, overwritable=True)
    return Written("Position", "position", (tokens, channels), overwritable=True, plain=True)


WRITERS = (Writer("position", write),)
