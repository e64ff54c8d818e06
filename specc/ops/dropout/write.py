"""Dropout in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.dropout.rules import DropoutParams
from specc.ops.writing import Arg, Sites, Writer, Written, each


def write(sites: Sites, elastic: bool) -> Written:
    rate = Arg(each(sites, lambda site: cast(DropoutParams, site.op.params).rate), "rate", parameter="rate")
    return Written("nn.Dropout", args=(rate,))


WRITERS = (Writer("dropout", write),)
