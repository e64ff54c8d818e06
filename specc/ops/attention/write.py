"""Attention in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.attention.rules import AttentionParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> AttentionParams:
    return cast(AttentionParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`Attention(features, heads)`, or its elastic twin with `cut(features)`, or `cut(features, heads)` where the heads
    are elastic by themselves."""
    inputs = Arg(each(sites, lambda site: params(site).inputs), "channels")
    heads = Arg(each(sites, lambda site: params(site).heads), "heads", "heads", parameter="heads")
    args = [inputs, heads]
    if any(p.full_heads * p.head_dim != p.full_inputs for p in map(params, sites)):
        args.append(Arg(each(sites, lambda site: params(site).head_dim), "size", "head_dim"))
    args.append(Arg(each(sites, lambda site: params(site).dropout), "rate", "dropout", 0, "dropout"))
    if varies(inputs.values) or varies(heads.values):
        return Written("ElasticAttention", "attention", tuple(args), planned=True, overwritable=True)
    return Written("Attention", "attention", tuple(args), overwritable=True, plain=True)


WRITERS = (Writer("attention", write),)
