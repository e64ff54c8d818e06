"""Patch embeddings in generated code: a convolution as wide as its stride, its pixels then in a row."""

from __future__ import annotations

from typing import Final, cast

from specc.ops.patch_embed.rules import PatchEmbedParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies

CALL: Final = "{layer}({0}{cut}).flatten(2).transpose(1, 2)"


def params(site: Site) -> PatchEmbedParams:
    return cast(PatchEmbedParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Conv2d(in, out, size, stride=size)`, or its elastic twin with `cut(in, out)`."""
    inputs = Arg(each(sites, lambda site: params(site).inputs), "channels")
    out = Arg(each(sites, lambda site: params(site).out), "channels")
    size = each(sites, lambda site: params(site).size)
    args = (inputs, out, Arg(size, "size"), Arg(size, "size", "stride"))
    if varies(inputs.values) or varies(out.values):
        return Written("Conv2d", "conv", args, planned=True, call=CALL)
    return Written("nn.Conv2d", args=args, call=CALL)


WRITERS = (Writer("patch_embed", write),)
