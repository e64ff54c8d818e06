"""Attention in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.attention.rules import QK_EPS_DEFAULT, GroupedParams, Params, grouped
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> Params:
    return cast(Params, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`Attention(features, heads)`, or its elastic twin with `cut(features)`, or `cut(features, heads)` where the heads
    are elastic by themselves."""
    if any(isinstance(params(site), GroupedParams) for site in sites):
        return write_grouped(sites)
    inputs = Arg(each(sites, lambda site: params(site).inputs), "channels")
    heads = Arg(each(sites, lambda site: params(site).heads), "heads", "heads", parameter="heads")
    args = [inputs, heads]
    if any(p.full_heads * p.head_dim != p.full_inputs for p in map(params, sites)):
        args.append(Arg(each(sites, lambda site: params(site).head_dim), "size", "head_dim"))
    args.append(Arg(each(sites, lambda site: params(site).dropout), "rate", "dropout", 0, "dropout"))
    if varies(inputs.values) or varies(heads.values):
        return Written("ElasticAttention", "attention", tuple(args), planned=True, overwritable=True)
    return Written("Attention", "attention", tuple(args), overwritable=True, plain=True)


def write_grouped(sites: Sites) -> Written:
    """`GroupedAttention(features, heads, kv_heads, head_dim, ..)`, or its elastic twin with `cut(features, heads,
    kv_heads)`."""
    features = Arg(each(sites, lambda site: params(site).inputs), "channels")
    heads = Arg(each(sites, lambda site: params(site).heads), "heads", parameter="heads")
    kv_heads = Arg(each(sites, lambda site: grouped(params(site)).kv_heads), "heads", "kv_heads", parameter="kv_heads")
    args = (
        features,
        heads,
        kv_heads,
        Arg(each(sites, lambda site: params(site).head_dim), "size", "head_dim", parameter="head_dim"),
        Arg(each(sites, lambda site: params(site).dropout), "rate", "dropout", 0, "dropout"),
        Arg(each(sites, lambda site: grouped(params(site)).bias), "extra", "bias", True, "bias"),
        Arg(each(sites, lambda site: grouped(params(site)).out_bias), "extra", "out_bias", True, "out_bias"),
        Arg(each(sites, lambda site: grouped(params(site)).qk_norm), "extra", "qk_norm", "none", "qk_norm"),
        Arg(each(sites, lambda site: grouped(params(site)).qk_eps), "extra", "qk_eps", QK_EPS_DEFAULT, "qk_eps"),
    )
    if any(varies(arg.values) for arg in (features, heads, kv_heads)):
        return Written("ElasticGroupedAttention", "grouped_attention", args, planned=True, overwritable=True)
    return Written("GroupedAttention", "grouped_attention", args, overwritable=True, plain=True)


WRITERS = (Writer("attention", write),)
