"""Pixels and channels that change places, in generated code."""

from __future__ import annotations

from typing import Final, cast

from specc.ops.pixel_shuffle.rules import BlockParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each

BY_PIXEL: Final = (
    "F.pixel_unshuffle({0}, {number}).unflatten(1, (-1, {number} * {number})).transpose(1, 2).flatten(1, 2)"
)

BY_COLUMN: Final = (
    "F.pixel_unshuffle({0}, {number}).unflatten(1, (-1, {number}, {number})).permute(0, 3, 2, 1, 4, 5).flatten(1, 3)"
)


def params(site: Site) -> BlockParams:
    return cast(BlockParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.PixelShuffle(2)`, `nn.PixelUnshuffle(2)`."""
    factor = Arg(each(sites, lambda site: params(site).factor), "size", parameter="factor")
    if params(sites[0]).order == "channels":
        return Written(number=factor, call=BY_PIXEL)
    if params(sites[0]).order == "columns":
        return Written(number=factor, call=BY_COLUMN)
    layer = "nn.PixelShuffle" if sites[0].op.kind == "pixel_shuffle" else "nn.PixelUnshuffle"
    return Written(layer, args=(factor,))


WRITERS = (Writer("pixel_shuffle", write), Writer("space_to_depth", write))
