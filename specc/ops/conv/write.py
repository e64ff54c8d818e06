"""Convolutions in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.conv.rules import ConvParams
from specc.ops.shapes import same_padding
from specc.ops.triangular.write import connected
from specc.ops.writing import Arg, Role, Site, Sites, Writer, Written, each, entering, leaving, segmented, varies


def params(site: Site) -> ConvParams:
    return cast(ConvParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Conv2d(in, out, kernel, ..)`, or its elastic twin with `cut(in, out)` or `cut(in, out, kernel)`.

    A padding that is not the kernel's own is the last argument of the cut. Where channels come in several runs, `in`
    has the number of each, and so has `out` of a grouped convolution.
    """

    def arg(field: str, role: Role, name: str = "", default: int | None = None) -> Arg:
        return Arg(each(sites, lambda site: getattr(params(site), field)), role, name, default)

    inputs, out, kernel = arg("inputs", "channels"), arg("out", "channels"), arg("kernel", "kernel")
    padding = arg("padding", "padding", "padding", 0)
    in_runs = segmented(sites)
    if in_runs:
        inputs, out = Arg(entering(sites), "channels"), Arg(leaving(sites), "channels")
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
    layer, source = ("SegmentedConv2d", "segmented") if in_runs else ("ElasticConv2d", "conv")
    sizes = params(sites[0]).transforms
    window = (kernel,) if all(centred(params(site)) for site in sites) else (kernel, padding)
    if varies(kernel.values) and sizes and not in_runs:
        transformed = (*args, Arg(each(sites, lambda site: params(site).transforms), "extra", "transforms"))
        written = Written("TransformedConv2d", "transformed", transformed, (inputs, out, *window), overwritable=True)
    elif varies(kernel.values):
        written = Written(layer, source, args, (inputs, out, *window), overwritable=True)
    elif varies(inputs.values) or varies(out.values):
        written = Written(layer, source, args, (inputs, out), overwritable=True)
    else:
        written = Written("nn.Conv2d", args=args, overwritable=True)
    return connected(sites, written, "Conv2d")


def centred(p: ConvParams) -> bool:
    """Whether the padding keeps the map's size at every kernel."""
    return p.padding == same_padding(p.kernel, p.dilation)


WRITERS = (Writer("conv", write), Writer("depthwise", write))
