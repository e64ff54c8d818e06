"""The first channels of a tensor: what a head for one option of a choice reads of a wider sub-network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr
from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Signature
from specc.ops.shapes import one
from specc.ops.weightless import Weightless


@dataclass(frozen=True, slots=True)
class NarrowParams:
    """`out`: how many channels stay."""

    out: Expr


class Narrow(Weightless):
    """The first n channels of a tensor of one segment. Never written in a spec; lowering adds it, with `out` = n."""

    kind = "narrow"
    folds = True
    signature = Signature("narrow", (), "The first channels of a tensor.")

    def build(self, call: OpCall) -> Built:
        out = cast(Expr, call.args["out"])
        return Built(NarrowParams(out), ((one(out), call.inputs[0].space),))


OPERATORS = (Narrow(),)
