"""Rectifiers of a learned slope in generated code."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ops.prelu.rules import PReluParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each, varies


def params(site: Site) -> PReluParams:
    return cast(PReluParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`PReLU()`, `PReLU(channels)`, or its elastic twin with `cut(channels)`."""
    slopes = each(sites, lambda site: params(site).slopes)
    start = Arg(each(sites, lambda site: params(site).start), "extra", "start", Fraction(1, 4))
    if varies(slopes):
        return Written("ElasticPReLU", "prelu", (Arg(slopes, "channels"), start), planned=True)
    count = Arg(slopes, "size" if set(slopes) == {1} else "channels", default=1 if set(slopes) == {1} else None)
    return Written("PReLU", "prelu", (count, start), plain=True)


WRITERS = (Writer("prelu", write),)
