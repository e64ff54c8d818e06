"""Convolutions along the channels in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.channel_conv.rules import ChannelConvParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> ChannelConvParams:
    return cast(ChannelConvParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Conv1d(1, 1, kernel)` on [N, 1, C], whatever the channels are."""
    ones = (1,) * len(sites)
    kernel = each(sites, lambda site: params(site).kernel)
    padding = each(sites, lambda site: params(site).kernel // 2)
    args = (
        Arg(ones, "extra"),
        Arg(ones, "extra"),
        Arg(kernel, "kernel", parameter="kernel"),
        Arg(padding, "padding", "padding", 0, half=kernel),
        Arg(each(sites, lambda site: params(site).bias), "extra", "bias", True, "bias"),
    )
    return Written("nn.Conv1d", args=args, call="{layer}({0}.unsqueeze(1)).squeeze(1)")


WRITERS = (Writer("channel_conv", write),)
