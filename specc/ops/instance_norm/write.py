"""Instance norms in generated code. They keep no statistics, so only elastic and banked ones take part in plans."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ops.instance_norm.rules import InstanceNormParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> InstanceNormParams:
    return cast(InstanceNormParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.InstanceNorm2d(channels, affine=True)`, elastic with `cut(channels)`, banked with `cut(channels, bank)`."""
    channels = Arg(each(sites, lambda site: params(site).channels), "channels")
    eps = Arg(each(sites, lambda site: params(site).eps), "extra", "eps", Fraction(1, 100_000))
    affine = each(sites, lambda site: params(site).affine)
    args = (channels, eps, Arg(affine, "extra", "affine", True))
    banks = each(sites, lambda site: site.op.bank.count)
    if any(count != 1 for count in banks):
        bank = Arg(each(sites, lambda site: site.op.bank.index), "bank", "bank")
        banked = (*args, Arg(banks, "banks", "banks"), bank)
        return Written("InstanceNorm", "instance_norm", banked, planned=True, overwritable=True)
    if varies(channels.values):
        return Written("InstanceNorm", "instance_norm", args, planned=True, overwritable=True)
    return Written("nn.InstanceNorm2d", args=(channels, eps, Arg(affine, "extra", "affine", False)), overwritable=True)


WRITERS = (Writer("instance_norm", write),)
