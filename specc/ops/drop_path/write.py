"""Stochastic depth in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.dropout.rules import DropoutParams
from specc.ops.writing import Arg, Sites, Writer, Written, each


def write(sites: Sites, elastic: bool) -> Written:
    rate = Arg(each(sites, lambda site: cast(DropoutParams, site.op.params).rate), "rate", parameter="rate")
    return Written("DropPath", "drop_path", args=(rate,), plain=True)


WRITERS = (Writer("drop_path", write),)
