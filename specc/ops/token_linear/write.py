"""Fully connected layers along the tokens in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.token_linear.rules import TokenLinearParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> TokenLinearParams:
    return cast(TokenLinearParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Linear(tokens, out)` on [N, C, T], whatever the channels are."""
    tokens = Arg(each(sites, lambda site: params(site).tokens), "size")
    out = Arg(each(sites, lambda site: params(site).out), "size", parameter="out")
    bias = Arg(each(sites, lambda site: params(site).bias), "extra", "bias", True, "bias")
    call = "{layer}({0}.transpose(1, 2)).transpose(1, 2)"
    return Written("nn.Linear", args=(tokens, out, bias), call=call)


WRITERS = (Writer("token_linear", write),)
