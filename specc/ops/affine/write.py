"""Learned offsets of channels in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.affine.rules import AffineParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> AffineParams:
    return cast(AffineParams, site.op.params)


def learned(kind: str, layer: str, usual: int) -> Writer:
    def write(sites: Sites, elastic: bool) -> Written:
        """`Affine(channels)`, or its elastic twin with `cut(channels)`."""
        channels = each(sites, lambda site: params(site).channels)
        start = Arg(each(sites, lambda site: params(site).start), "extra", "start", usual)
        if varies(channels):
            args = (Arg(channels, "channels"), start)
            return Written(f"Elastic{layer}", "affine", args, planned=True, overwritable=True)
        one = kind == "offset" and set(channels) == {1}
        count = Arg(channels, "size" if one else "channels", default=1 if one else None)
        return Written(layer, "affine", (count, start), overwritable=True, plain=True)

    return Writer(kind, write)


WRITERS = (learned("affine", "Affine", 1), learned("offset", "Offset", 0))
