"""Where alternatives meet again: after a skippable, an optional round of a repeat, a `when` over a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr
from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Signature
from specc.ops.weightless import Weightless


@dataclass(frozen=True, slots=True)
class SelectParams:
    """One condition for each input; the first that holds says which input goes on. The last one is 1."""

    conditions: tuple[Expr, ...]


class Select(Weightless):
    """Goes on with the input of the first true condition. Never written in a spec; lowering adds it."""

    kind = "select"
    channelwise = True
    signature = Signature("select", (), "Where alternatives meet again.")

    def build(self, call: OpCall) -> Built:
        first, *others = call.inputs
        for other in others:
            call.tie(first, other, "the two alternatives that meet here")
        conditions = cast("tuple[Expr, ...]", call.args["conditions"])
        return Built(SelectParams(conditions), ((first.channels, first.space),))


OPERATORS = (Select(),)
