"""Taking tokens in generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.ops.take.rules import TakeParams, Which
from specc.ops.writing import Sites, Writer, Written

CALLS: Final[Mapping[Which, str]] = {"class_token": "{0}[:, 0]", "mean": "{0}.mean(1)", "patches": "{0}[:, 1:]"}


def write(sites: Sites, elastic: bool) -> Written:
    return Written(call=CALLS[cast(TakeParams, sites[0].op.params).which])


WRITERS = (Writer("take", write),)
