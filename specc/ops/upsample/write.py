"""Upsampling in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.upsample.rules import UpsampleParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> UpsampleParams:
    return cast(UpsampleParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Upsample(scale_factor=2)`."""
    args = (
        Arg(each(sites, lambda site: params(site).factor), "size", "scale_factor", parameter="factor"),
        Arg(each(sites, lambda site: params(site).mode), "extra", "mode", "nearest"),
    )
    return Written("nn.Upsample", args=args)


WRITERS = (Writer("upsample", write),)
