"""Upsampling in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.upsample.rules import UpsampleParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> UpsampleParams:
    return cast(UpsampleParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Upsample(scale_factor=2)`, `nn.Upsample((48, 64))`."""
    mode = Arg(each(sites, lambda site: params(site).mode), "extra", "mode", "nearest")
    corners = Arg(each(sites, lambda site: params(site).align_corners), "extra", "align_corners", False)
    if params(sites[0]).size is not None:
        size = Arg(each(sites, lambda site: params(site).size or 1), "size", parameter="size")
        return Written("nn.Upsample", args=(size, mode, corners))
    factor = Arg(each(sites, lambda site: params(site).factor or 1), "size", "scale_factor", parameter="factor")
    return Written("nn.Upsample", args=(factor, mode, corners))


WRITERS = (Writer("upsample", write),)
