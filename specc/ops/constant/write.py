"""Constants in generated code."""

from __future__ import annotations

from typing import cast

from specc.ops.constant.rules import ConstantParams
from specc.ops.writing import Arg, Sites, Writer, Written, each


def with_constant(kind: str, call: str) -> Writer:
    def write(sites: Sites, elastic: bool) -> Written:
        number = Arg(each(sites, lambda site: cast(ConstantParams, site.op.params).number), "extra")
        return Written(number=number, call=call, overwritable=True)

    return Writer(kind, write)


WRITERS = (
    with_constant("scale_by", "{0} * {number}"),
    with_constant("shift_by", "{0} + {number}"),
    with_constant("subtract_from", "{number} - {0}"),
)
