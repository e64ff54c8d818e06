"""Convolutions in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.conv.rules import ConvParams
from specc.ops.writing import Arg, Role, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> ConvParams:
    return cast(ConvParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Conv2d(in, out, kernel, ..)`, or its elastic twin with `cut(in, out)` or `cut(in, out, kernel, padding)`."""

    def arg(field: str, role: Role, name: str = "", default: int | None = None) -> Arg:
        return Arg(each(sites, lambda site: getattr(params(site), field)), role, name, default)

    inputs, out, kernel = arg("inputs", "channels"), arg("out", "channels"), arg("kernel", "kernel")
    padding = arg("padding", "padding", "padding", 0)
    args = (
        inputs,
        out,
        kernel,
        arg("stride", "stride", "stride", 1),
        padding,
        arg("dilation", "dilation", "dilation", 1),
        arg("groups", "channels", "groups", 1),
        arg("bias", "extra", "bias", True),
    )
    if varies(kernel.values):
        return Written("ElasticConv2d", "conv", args, (inputs, out, kernel, padding), overwritable=True)
    if varies(inputs.values) or varies(out.values):
        return Written("ElasticConv2d", "conv", args, (inputs, out), overwritable=True)
    return Written("nn.Conv2d", args=args, overwritable=True)


WRITERS = (Writer("conv", write), Writer("depthwise", write))
