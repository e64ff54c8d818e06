"""Attention in generated code."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from specc.ir.expr import Expr
from specc.ir.window import window_of
from specc.ops.attention.places import HIDDEN, Places
from specc.ops.attention.rules import QK_EPS_DEFAULT, Full, GroupedParams, Params, PlacedParams, grouped
from specc.ops.writing import Arg, Site, Sites, Value, Writer, Written, each, varies


def params(site: Site) -> Params:
    return cast(Params, site.op.params)


def asked(site: Site) -> Full:
    return grouped(params(site))


def places(site: Site) -> Places:
    p = params(site)
    return p.places if isinstance(p, PlacedParams) else Places()


def write(sites: Sites, elastic: bool) -> Written:
    """`Attention(features, heads)`, or its elastic twin with `cut(features)`, or `cut(features, heads)` where the heads
    are elastic by themselves."""
    if any(isinstance(params(site), PlacedParams) for site in sites):
        return write_placed(sites)
    if any(isinstance(params(site), GroupedParams) for site in sites):
        return write_grouped(sites)
    inputs = Arg(each(sites, lambda site: asked(site).inputs), "channels")
    heads = Arg(each(sites, lambda site: asked(site).heads), "heads", "heads", parameter="heads")
    args = [inputs, heads]
    if any(p.full_heads * p.head_dim != p.full_inputs for p in map(asked, sites)):
        args.append(Arg(each(sites, lambda site: asked(site).head_dim), "size", "head_dim"))
    args.append(Arg(each(sites, lambda site: asked(site).dropout), "rate", "dropout", 0, "dropout"))
    if varies(inputs.values) or varies(heads.values):
        return Written("ElasticAttention", "attention", tuple(args), planned=True, overwritable=True)
    return Written("Attention", "attention", tuple(args), overwritable=True, plain=True)


def write_grouped(sites: Sites) -> Written:
    """`GroupedAttention(features, heads, kv_heads, head_dim, ..)`, or its elastic twin with `cut(features, heads,
    kv_heads)`."""
    causal = Arg(each(sites, lambda site: is_causal(asked(site))), "extra", "causal", False, "causal")
    args = (*grouped_args(sites), causal)
    if any(varies(arg.values) for arg in args[:3]):
        return Written("ElasticGroupedAttention", "grouped_attention", args, planned=True, overwritable=True)
    return Written("GroupedAttention", "grouped_attention", args, overwritable=True, plain=True)


def is_causal(p: Full) -> bool:
    """Whether a token looks at itself and those before it alone."""
    return isinstance(p, GroupedParams) and p.causal


def grouped_args(sites: Sites) -> tuple[Arg, ...]:
    """What an attention takes wherever its tokens stand; first features, heads, and heads of keys and values."""
    return (
        Arg(each(sites, lambda site: asked(site).inputs), "channels"),
        Arg(each(sites, lambda site: asked(site).heads), "heads", parameter="heads"),
        Arg(each(sites, lambda site: asked(site).kv_heads), "heads", "kv_heads", parameter="kv_heads"),
        Arg(each(sites, lambda site: asked(site).head_dim), "size", "head_dim", parameter="head_dim"),
        Arg(each(sites, lambda site: asked(site).dropout), "rate", "dropout", 0, "dropout"),
        Arg(each(sites, lambda site: asked(site).bias), "extra", "bias", True, "bias"),
        Arg(each(sites, lambda site: asked(site).out_bias), "extra", "out_bias", True, "out_bias"),
        Arg(each(sites, lambda site: asked(site).qk_norm), "extra", "qk_norm", "none", "qk_norm"),
        Arg(each(sites, lambda site: asked(site).qk_eps), "extra", "qk_eps", QK_EPS_DEFAULT, "qk_eps"),
    )


def write_placed(sites: Sites) -> Written:
    """`WindowAttention(features, heads, window=7, shift=3, ..)`, or its elastic twin with `cut(features, heads,
    kv_heads)`."""

    def arg(name: str, default: Expr, said: Callable[[Places], Value], parameter: str = "") -> Arg:
        return Arg(each(sites, lambda site: said(places(site))), "extra", name, default, parameter or name)

    features, heads, _, _, *others = grouped_args(sites)
    shared = Arg(each(sites, lambda site: kv_heads(asked(site))), "heads", "kv_heads", 0, "kv_heads")
    size = Arg(each(sites, lambda site: head_dim(asked(site))), "size", "head_dim", 0, "head_dim")
    args = (
        features,
        heads,
        size,
        shared,
        *others,
        arg("window", 0, lambda p: window(p.window)),
        arg("shift", 0, lambda p: window(p.shift)),
        arg("grid", 0, lambda p: window(p.grid)),
        arg("area", 0, lambda p: 0 if p.window or p.grid else window(p.area)),
        arg("extra", False, lambda p: p.class_token),
        arg("position", "none", lambda p: p.position),
        arg("hidden", HIDDEN, lambda p: p.hidden, "position_hidden"),
        arg("scores", "dot", lambda p: p.scores),
        arg("scale", 0, lambda p: p.scale or 0),
        arg("key_bias", "learned", lambda p: p.key_bias),
    )
    if any(varies(arg.values) for arg in (features, heads, shared)):
        return Written("ElasticWindowAttention", "window_attention", args, planned=True, overwritable=True)
    return Written("WindowAttention", "window_attention", args, overwritable=True, plain=True)


def kv_heads(p: Full) -> Expr:
    """The heads of keys and values; 0 for as many as there are of queries."""
    return 0 if p.kv_heads == p.heads else p.kv_heads


def head_dim(p: Full) -> int:
    """The features of a head; 0 for an equal share."""
    return 0 if p.full_heads * p.head_dim == p.full_inputs else p.head_dim


def window(size: tuple[int, int] | None) -> Value:
    """One number where height and width are equal; 0 for none."""
    return 0 if size is None else window_of(*size)


WRITERS = (Writer("attention", write),)
