"""Fully connected layers in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.linear.rules import LinearParams
from specc.ops.triangular.write import connected
from specc.ops.writing import (
    Arg,
    Site,
    Sites,
    Writer,
    Written,
    each,
    entering,
    leaving,
    segmented,
    varies,
    written_in_runs,
)


def params(site: Site) -> LinearParams:
    return cast(LinearParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.Linear(in, out)`, or its elastic twin with `cut(in, out)`: the first features of each, or of each run."""
    in_runs = segmented(sites) or written_in_runs(sites)
    inputs = Arg(entering(sites) if in_runs else each(sites, lambda site: params(site).inputs), "channels")
    out = Arg(leaving(sites) if in_runs else each(sites, lambda site: params(site).out), "channels", parameter="out")
    args = (inputs, out, Arg(each(sites, lambda site: params(site).bias), "extra", "bias", True, "bias"))
    if in_runs:
        return Written("SegmentedLinear", "segmented", args, planned=True, overwritable=True)
    if varies(inputs.values) or varies(out.values):
        return connected(sites, Written("Linear", "linear", args, planned=True, overwritable=True), "Linear")
    return connected(sites, Written("nn.Linear", args=args, overwritable=True), "Linear")


WRITERS = (Writer("linear", write),)
