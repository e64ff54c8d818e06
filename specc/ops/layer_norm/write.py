"""Layer norms in generated code. They have no statistics, so only elastic and banked ones take part in plans."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

from specc.ops.layer_norm.rules import LayerNormParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, entering, segmented, varies

ON_MAPS: Final = "{layer}({0}.permute(0, 2, 3, 1){cut}).permute(0, 3, 1, 2)"
"""The channels of a map moved to the end, where layer norms look for them, and back."""


def params(site: Site) -> LayerNormParams:
    return cast(LayerNormParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.LayerNorm(channels)`, elastic with `cut(channels)`, banked with `cut(channels, bank)`.

    Where channels come in several runs, `channels` has the number of each.
    """
    call = ON_MAPS if len(sites[0].inputs[0].space) == 2 else ""
    in_runs = segmented(sites)
    source, kind = ("segmented_layer_norm", "Segmented") if in_runs else ("layer_norm", "")
    channels = Arg(entering(sites) if in_runs else each(sites, lambda site: params(site).channels), "channels")
    eps = Arg(each(sites, lambda site: params(site).eps), "extra", "eps", Fraction(1, 100_000))
    affine = each(sites, lambda site: params(site).affine)
    bias = Arg(each(sites, lambda site: params(site).bias or not params(site).affine), "extra", "bias", True)
    learned = (Arg(affine, "extra", "affine", True), bias)
    banks = each(sites, lambda site: site.op.bank.count)
    if any(count != 1 for count in banks):
        bank = Arg(each(sites, lambda site: site.op.bank.index), "bank", "bank")
        args = (channels, eps, *learned, Arg(banks, "banks", "banks"), bank)
        return Written(f"{kind}LayerNorm", source, args, planned=True, call=call, overwritable=not call)
    if varies(channels.values):
        cut = (channels, eps, *learned)
        return Written(f"{kind}LayerNorm", source, cut, planned=True, call=call, overwritable=not call)
    plain = (channels, eps, Arg(affine, "extra", "elementwise_affine", True), bias)
    return Written("nn.LayerNorm", args=plain, call=call, overwritable=not call)


WRITERS = (Writer("layer_norm", write),)
