"""Convolutions in generated code."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from specc.ops.conv.rules import ConvParams
from specc.ops.shapes import same_padding
from specc.ops.triangular.write import connected
from specc.ops.writing import (
    Arg,
    Role,
    Site,
    Sites,
    Writer,
    Written,
    each,
    entering,
    leaving,
    segmented,
    varies,
    written_in_runs,
)


def params(site: Site) -> ConvParams:
    return cast(ConvParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Conv2d(in, out, kernel, ..)`, or its elastic twin where one of these varies.

    Where channels come in several runs, `in` has the number of each, and so has `out` where they leave in several.
    """

    def arg(field: str, role: Role, name: str = "", default: int | None = None) -> Arg:
        return Arg(each(sites, lambda site: getattr(params(site), field)), role, name, default, field)

    inputs, out, kernel = arg("inputs", "channels"), arg("out", "channels"), arg("kernel", "kernel")
    padding = arg("padding", "padding", "padding", 0)
    pairs = {isinstance(value, tuple) for value in kernel.values}
    if len(pairs) == 1 and all(centred(params(site)) and params(site).dilation == 1 for site in sites):
        padding = replace(padding, half=kernel.values)
    in_runs = segmented(sites) or written_in_runs(sites)
    if in_runs:
        inputs, out = Arg(entering(sites), "channels"), Arg(leaving(sites), "channels", parameter="out")
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
    layer, source = ("SegmentedConv2d", "segmented") if in_runs else ("Conv2d", "conv")
    if any(params(site).transforms for site in sites) and not in_runs:
        written = Written("TransformedConv2d", "transformed", args, planned=True, overwritable=True)
    elif varies(kernel.values) or varies(inputs.values) or varies(out.values):
        written = Written(layer, source, args, planned=True, overwritable=True)
    else:
        written = Written("nn.Conv2d", args=args, overwritable=True)
    return connected(sites, written, "Conv2d")


def centred(p: ConvParams) -> bool:
    """Whether the padding keeps the map's size at every kernel."""
    return p.padding == same_padding(p.kernel, p.dilation)


WRITERS = (Writer("conv", write), Writer("depthwise", write))
