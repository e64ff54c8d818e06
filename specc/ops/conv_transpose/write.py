"""Transposed convolutions in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.conv_transpose.rules import TransposedParams
from specc.ops.writing import Arg, Role, Site, Sites, Writer, Written, each, entering, leaving, varies


def params(site: Site) -> TransposedParams:
    return cast(TransposedParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.ConvTranspose2d(in, out, kernel, ..)`, or its elastic twin: of each run of channels the first."""

    def arg(field: str, role: Role, name: str = "", default: int | None = None) -> Arg:
        return Arg(each(sites, lambda site: getattr(params(site), field)), role, name, default, field)

    groups = Arg(each(sites, lambda site: params(site).groups), "channels", "groups", 1)
    args = (
        Arg(entering(sites), "channels"),
        Arg(leaving(sites), "channels", parameter="out"),
        arg("kernel", "kernel"),
        arg("stride", "stride", "stride", 1),
        arg("padding", "padding", "padding", 0),
        arg("output_padding", "padding", "output_padding", 0),
        groups,
        Arg(each(sites, lambda site: params(site).bias), "extra", "bias", True, "bias"),
        arg("dilation", "dilation", "dilation", 1),
    )
    if varies(args[0].values) or varies(args[1].values):
        return Written("ConvTranspose2d", "conv_transpose", args, planned=True, overwritable=True)
    return Written("nn.ConvTranspose2d", args=args, overwritable=True)


WRITERS = (Writer("conv_transpose", write),)
