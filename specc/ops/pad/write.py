"""Borders in generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.ops.pad.rules import PadParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each

LAYERS: Final[Mapping[str, str]] = {
    "zeros": "nn.ZeroPad2d",
    "reflect": "nn.ReflectionPad2d",
    "replicate": "nn.ReplicationPad2d",
    "circular": "nn.CircularPad2d",
}


def params(site: Site) -> PadParams:
    return cast(PadParams, site.op.params)


def borders(site: Site) -> tuple[int, int, int, int]:
    """In torch's order: left, right, top, bottom."""
    p = params(site)
    return p.left, p.right, p.top, p.bottom


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.ZeroPad2d((left, right, top, bottom))`, or its twin of another mode."""
    mode, sides = params(sites[0]).mode, Arg(each(sites, borders), "padding")
    if mode == "lowest":
        return Written("LowestPad2d", "pad", (sides,), plain=True)
    return Written(LAYERS[mode], args=(sides,))


WRITERS = (Writer("pad", write),)
