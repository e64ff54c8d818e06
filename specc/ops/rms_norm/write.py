"""RMS norms in generated code. They have no statistics, so only elastic and banked ones take part in plans."""

from __future__ import annotations

from typing import Final, cast

from specc.ops.rms_norm.rules import RmsNormParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies

ON_MAPS: Final = "{layer}({0}.permute(0, 2, 3, 1){cut}).permute(0, 3, 1, 2)"
"""The channels of a map moved to the end, where RMS norms look for them, and back."""


def params(site: Site) -> RmsNormParams:
    return cast(RmsNormParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.RMSNorm(channels, eps=..)`, elastic with `cut(channels)`, banked with `cut(channels, bank)`."""
    call = ON_MAPS if len(sites[0].inputs[0].space) == 2 else ""
    channels = Arg(each(sites, lambda site: params(site).channels), "channels")
    eps = Arg(each(sites, lambda site: params(site).eps), "extra", "eps")
    affine = each(sites, lambda site: params(site).affine)
    learned = Arg(affine, "extra", "affine", True)
    banks = each(sites, lambda site: site.op.bank.count)
    if any(count != 1 for count in banks):
        bank = Arg(each(sites, lambda site: site.op.bank.index), "bank", "bank")
        args = (channels, eps, learned, Arg(banks, "banks", "banks"), bank)
        return Written("RMSNorm", "rms_norm", args, planned=True, call=call, overwritable=not call)
    if varies(channels.values):
        return Written("RMSNorm", "rms_norm", (channels, eps, learned), planned=True, call=call, overwritable=not call)
    plain = (channels, eps, Arg(affine, "extra", "elementwise_affine", True))
    return Written("nn.RMSNorm", args=plain, call=call, overwritable=not call)


WRITERS = (Writer("rms_norm", write),)
