"""Stochastic depth (Huang et al., 2016): whole images of a residual's body dropped while training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from specc.ir.expr import Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.dropout.rules import DROP_RATE, DropoutParams


class DropPath(Operator):
    """`drop_path(0.2)`, at the end of a residual's body."""

    kind = "drop_path"
    example = "residual { conv(16, kernel=3); drop_path(0.1) }"
    channelwise = True
    folds = True
    signature = Signature(
        "drop_path",
        (Parameter("rate", "number", doc="probability of zeroing a whole image, while training"),),
        "Stochastic depth: zeroes what arrives for some images while training, and scales it up for the others.",
    )

    def build(self, call: OpCall) -> Built:
        rate = cast(Number, call.args["rate"])
        if not 0 <= rate < 1:
            call.report(DROP_RATE, f"the drop rate is {float(rate):g}, outside [0, 1)", at="rate")
        return Built(DropoutParams(rate), ((call.inputs[0].channels, call.inputs[0].space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias")


OPERATORS = (DropPath(),)
