"""Learned factors of channels in generated code."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ops.layer_scale.rules import LayerScaleParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> LayerScaleParams:
    return cast(LayerScaleParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`LayerScale(channels)`, or its elastic twin with `cut(channels)`."""
    counts = each(sites, lambda site: params(site).channels)
    channels = Arg(counts, "size" if set(counts) == {1} else "channels")
    start = Arg(each(sites, lambda site: params(site).start), "extra", "start", Fraction(1, 1_000_000))
    if varies(channels.values):
        return Written("ElasticLayerScale", "layer_scale", (channels, start), planned=True, overwritable=True)
    return Written("LayerScale", "layer_scale", (channels, start), overwritable=True, plain=True)


WRITERS = (Writer("layer_scale", write),)
