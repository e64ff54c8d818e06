"""Padding with zero channels in generated code."""

from __future__ import annotations

from typing import cast

from specc.ir.expr import Expr, apply
from specc.ir.whole import part
from specc.ops.pad_channels.rules import PadChannelsParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> PadChannelsParams:
    return cast(PadChannelsParams, site.op.params)


def extra(site: Site) -> Expr:
    return apply("sub", part(params(site).out), part(params(site).inputs))


def write(sites: Sites, elastic: bool) -> Written:
    """`F.pad` counts from the last dimension: width, height, channels of a map, the features of tokens and vectors.
    A negative number drops channels.

    Slices are padded by a layer, which needs no plan: as many are padded as arrive.
    """
    slices = Arg(each(sites, lambda site: params(site).slices), "size", "slices", parameter="slices", whole=True)
    if any(value != 1 for value in slices.values):
        inputs = Arg(each(sites, lambda site: params(site).inputs), "channels")
        out = Arg(each(sites, lambda site: params(site).out), "channels", parameter="out")
        return Written("PadSlices", "pad_channels", (inputs, out, slices))
    ends = each(sites, lambda site: params(site).out), each(sites, lambda site: params(site).inputs)
    number = Arg(each(sites, extra), "extra", difference=ends)
    ahead = "0, 0, 0, 0, " if len(sites[0].inputs[0].space) == 2 else ""
    return Written(number=number, call=f"F.pad({{0}}, ({ahead}0, {{number}}))")


WRITERS = (Writer("pad_channels", write),)
