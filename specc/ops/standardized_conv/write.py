"""Convolutions with standardised weights in generated code."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import cast

from specc.ops.conv.write import write as convolution
from specc.ops.standardized_conv.rules import StandardizedParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> StandardizedParams:
    return cast(StandardizedParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`StandardizedConv2d(in, out, kernel, ..)`, or its elastic twin."""
    plain = convolution(sites, elastic)
    more = (
        Arg(each(sites, lambda site: params(site).gain), "extra", "gain", False),
        Arg(each(sites, lambda site: params(site).gamma), "extra", "gamma", 1),
        Arg(each(sites, lambda site: params(site).eps), "extra", "weight_eps", Fraction(1, 1_000_000)),
    )
    layer = "ElasticStandardizedConv2d" if plain.planned else "StandardizedConv2d"
    args = (*plain.args, *more)
    return replace(plain, layer=layer, source="standardized_conv", args=args, plain=not plain.planned)


WRITERS = (Writer("standardized_conv", write),)
