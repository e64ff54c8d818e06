"""Sums over branches in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.branch_sum.rules import BranchSumParams
from specc.ops.writing import Arg, Sites, Writer, Written, each


def write(sites: Sites, elastic: bool) -> Written:
    """Channels [branches * size] as [branches, size], summed over the branches that are there."""
    size = Arg(each(sites, lambda site: cast(BranchSumParams, site.op.params).size), "channels")
    return Written(number=size, call="torch.unflatten({0}, 1, (-1, {number})).sum(1)", overwritable=True)


WRITERS = (Writer("branch_sum", write),)
