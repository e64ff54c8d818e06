"""Padding with zero channels in generated code."""

from __future__ import annotations

from typing import cast

from specc.ir.expr import Expr, apply
from specc.ops.pad_channels.rules import PadChannelsParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def extra(site: Site) -> Expr:
    params = cast(PadChannelsParams, site.op.params)
    return apply("sub", params.out, params.inputs)


def write(sites: Sites, elastic: bool) -> Written:
    """`F.pad` counts from the last dimension: width, height, channels. A negative number drops channels.

    Slices are padded by a layer, which needs no plan: as many are padded as arrive.
    """
    if any(cast(PadChannelsParams, site.op.params).slices > 1 for site in sites):
        inputs = Arg(each(sites, lambda site: cast(PadChannelsParams, site.op.params).slice_inputs), "channels")
        out = Arg(each(sites, lambda site: cast(PadChannelsParams, site.op.params).slice_out), "channels")
        return Written("PadSlices", "pad_channels", (inputs, out))
    number = Arg(each(sites, extra), "channels")
    return Written(number=number, call="F.pad({0}, (0, 0, 0, 0, 0, {number}))")


WRITERS = (Writer("pad_channels", write),)
