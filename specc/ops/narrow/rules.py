"""The first channels of a tensor: what a head for one option of a choice reads of a wider sub-network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator
from specc.ir.parameter import Signature
from specc.ops.shapes import one


@dataclass(frozen=True, slots=True)
class NarrowParams:
    """`out`: how many channels stay."""

    out: Expr


class Narrow(Operator):
    """The first n channels of a tensor of one segment. Never written in a spec; lowering adds it, with `out` = n."""

    kind = "narrow"
    narrows = True
    written = False
    folds = True
    signature = Signature("narrow", (), "The first channels of a tensor.")

    def build(self, call: OpCall) -> Built:
        out = cast(Expr, call.args["out"])
        return Built(NarrowParams(out), ((one(out), call.inputs[0].space),))

    def does_nothing(self, op: Op, inputs: Sequence[Tensor]) -> bool:
        return cast(NarrowParams, op.params).out == inputs[0].features

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("view")


OPERATORS = (Narrow(),)
