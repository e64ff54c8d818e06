"""The sum of feature maps, as at the end of a residual."""

from __future__ import annotations

from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Signature
from specc.ops.weightless import NoParams, Weightless


class Add(Weightless):
    """The sum that closes `residual { }`; its first input is the body's output, its second the shortcut's."""

    kind = "add"
    signature = Signature("add", (), "The sum of feature maps of one shape.")

    def build(self, call: OpCall) -> Built:
        first, *others = call.inputs
        for other in others:
            call.tie(first, other, "the two sides of this sum")
        return Built(NoParams(), ((first.channels, first.space),))


OPERATORS = (Add(),)
