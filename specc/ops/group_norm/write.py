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
    banks = each(sites, lambda site: site.op.bank.count)
    if any(count != 1 for count in banks):
        bank = Arg(each(sites, lambda site: site.op.bank.index), "bank", "bank")
        args = (groups, channels, eps, Arg(banks, "banks", "banks"), bank)
        return Written(f"{kind}GroupNorm", source, args, planned=True, overwritable=True)
    if varies(channels.values):
        return Written(f"{kind}GroupNorm", source, (groups, channels, eps), planned=True, overwritable=True)
    return Written("nn.GroupNorm", args=(groups, channels, eps), overwritable=True)


WRITERS = (Writer("group_norm", write),)
