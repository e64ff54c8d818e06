"""The softmax over channels."""

from __future__ import annotations

from specc.ir.operator import Branched, Built, NoParams, OpCall, Operator
from specc.ir.parameter import Signature


class Softmax(Operator):
    """`softmax`."""

    kind = "softmax"
    example = "pool(avg); linear(in); softmax"
    branched = Branched(refused="it would be over the channels of all branches at once")
    folds = True
    signature = Signature(
        "softmax", (), "exp(x), divided by its sum over the channels that are there, at every place by itself."
    )

    def build(self, call: OpCall) -> Built:
        return Built(NoParams(), ((call.inputs[0].channels, call.inputs[0].space),))


OPERATORS = (Softmax(),)
