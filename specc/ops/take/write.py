"""Tokens to one vector in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.take.rules import TakeParams
from specc.ops.writing import Sites, Writer, Written


def write(sites: Sites, elastic: bool) -> Written:
    first = cast(TakeParams, sites[0].op.params).which == "class_token"
    return Written(call="{0}[:, 0]" if first else "{0}.mean(1)")


WRITERS = (Writer("take", write),)
