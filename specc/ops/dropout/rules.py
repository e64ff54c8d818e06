"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature

DROP_RATE = Rule(
    "E407",
    "drop-rate",
    "a drop rate is not in [0, 1)",
    "A rate is the share of values that training sets to zero.\nWrong:  dropout(20)\nRight:  dropout(0.2)",
)


@dataclass(frozen=True, slots=True)
class DropoutParams:
    """`rate`: the probability with which training zeroes a value."""

    rate: Number


class Dropout(Operator):
    """`dropout(0.2)`."""

    kind = "dropout"
    example = "pool(avg); dropout(0.2)"
    silent = True
    channelwise = True
    folds = True
    signature = Signature(
        "dropout",
        (Parameter("rate", "number", doc="probability of zeroing a value, while training"),),
        "Zeroes values at random while training.",
    )

    def build(self, call: OpCall) -> Built:
        rate = cast(Number, call.args["rate"])
        if not 0 <= rate < 1:
            call.report(DROP_RATE, f"the drop rate is {float(rate):g}, outside [0, 1)", at="rate")
        return Built(DropoutParams(rate), ((call.inputs[0].channels, call.inputs[0].space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias")


OPERATORS = (Dropout(),)
