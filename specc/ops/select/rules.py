"""Where alternatives meet again: after a skippable, an optional round of a repeat, a `when` over a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, Memory, OpCall, Operator
from specc.ir.parameter import Signature


@dataclass(frozen=True, slots=True)
class SelectParams:
    """One condition for each input; the first that holds says which input goes on. The last one is 1."""

    conditions: tuple[Expr, ...]


class Select(Operator):
    """Goes on with the input of the first true condition. Never written in a spec; lowering adds it."""

    kind = "select"
    written = False
    selects = True
    drawn = Drawn("switch")
    channelwise = True
    signature = Signature("select", (), "Where alternatives meet again.")

    def build(self, call: OpCall) -> Built:
        first, *others = call.inputs
        for other in others:
            call.tie(first, other, "the two alternatives that meet here")
        conditions = cast("tuple[Expr, ...]", call.args["conditions"])
        return Built(SelectParams(conditions), ((first.channels, first.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("view")


OPERATORS = (Select(),)
