"""Batch norms in generated code.

In a network with choices every norm takes a plan, so that calibration can give each sub-network statistics of its own,
where nothing else about the norm is elastic too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ops.batch_norm.rules import BatchNormParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, entering, segmented


def params(site: Site) -> BatchNormParams:
    return cast(BatchNormParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.BatchNorm2d(channels)` (1d for vectors), elastic with `cut(channels)`, banked with `cut(channels, bank)`.

    Where channels come in several runs, `channels` has the number of each.
    """
    rank = "2d" if sites[0].inputs[0].space else "1d"
    in_runs = segmented(sites)
    channels = Arg(entering(sites) if in_runs else each(sites, lambda site: params(site).channels), "channels")
    source, kind = ("segmented", "Segmented") if in_runs else ("batch_norm", "")
    extras = (
        Arg(each(sites, lambda site: params(site).eps), "extra", "eps", Fraction(1, 100_000)),
        Arg(each(sites, lambda site: params(site).momentum), "extra", "momentum", Fraction(1, 10)),
        Arg(each(sites, lambda site: params(site).affine), "extra", "affine", True),
    )
    banks = each(sites, lambda site: site.op.bank.count)
    if any(count != 1 for count in banks):
        bank = Arg(each(sites, lambda site: site.op.bank.index), "bank", "bank")
        args = (channels, *extras, Arg(banks, "banks", "banks"), bank)
        return Written(f"{kind}BatchNorm{rank}", source, args, planned=True, overwritable=True)
    if elastic:
        return Written(f"{kind}BatchNorm{rank}", source, (channels, *extras), planned=True, overwritable=True)
    return Written(f"nn.BatchNorm{rank}", args=(channels, *extras), overwritable=True)


WRITERS = (Writer("batch_norm", write),)
