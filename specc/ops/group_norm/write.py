"""Group norms in generated code. They have no statistics, so only elastic and banked ones take part in plans."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ops.group_norm.rules import GroupNormParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, entering, segmented, varies


def params(site: Site) -> GroupNormParams:
    return cast(GroupNormParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.GroupNorm(groups, channels)`, elastic with `cut(channels)`, banked with `cut(channels, bank)`.

    Where channels come in several runs, `channels` has the number of each.
    """
    in_runs = segmented(sites)
    source, kind = ("segmented_group_norm", "Segmented") if in_runs else ("group_norm", "")
    channels = Arg(entering(sites) if in_runs else each(sites, lambda site: params(site).channels), "channels")
    groups = Arg(each(sites, lambda site: params(site).groups), "channels")
    eps = Arg(each(sites, lambda site: params(site).eps), "extra", "eps", Fraction(1, 100_000))
    affine = each(sites, lambda site: params(site).affine)
    bias = each(sites, lambda site: params(site).bias or not params(site).affine)
    args = (groups, channels, eps, Arg(affine, "extra", "affine", True), Arg(bias, "extra", "bias", True))
    banks = each(sites, lambda site: site.op.bank.count)
    if any(count != 1 for count in banks):
        bank = Arg(each(sites, lambda site: site.op.bank.index), "bank", "bank")
        banked = (*args, Arg(banks, "banks", "banks"), bank)
        return Written(f"{kind}GroupNorm", source, banked, planned=True, overwritable=True)
    if varies(channels.values):
        return Written(f"{kind}GroupNorm", source, args, planned=True, overwritable=True)
    if not all(bias):
        return Written("ScaledGroupNorm", "group_norm", (groups, channels, eps), overwritable=True, plain=True)
    plain = (groups, channels, eps, Arg(affine, "extra", "affine", True))
    return Written("nn.GroupNorm", args=plain, overwritable=True)


WRITERS = (Writer("group_norm", write),)
