"""Local response norms in generated code."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ir.expr import Number
from specc.ops.local_response_norm.rules import LocalResponseNormParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def params(site: Site) -> LocalResponseNormParams:
    return cast(LocalResponseNormParams, site.op.params)


def write(sites: Sites, elastic: bool) -> Written:
    """`nn.LocalResponseNorm(size)`."""

    def arg(name: str, usual: Number) -> Arg:
        return Arg(each(sites, lambda site: getattr(params(site), name)), "extra", name, usual)

    size = Arg(each(sites, lambda site: params(site).size), "size", parameter="size")
    numbers = (arg("alpha", Fraction(1, 10_000)), arg("beta", Fraction(3, 4)), arg("k", 1))
    return Written("nn.LocalResponseNorm", args=(size, *numbers))


WRITERS = (Writer("local_response_norm", write),)
