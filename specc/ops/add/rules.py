"""The sum of feature maps, as at the end of a residual."""

from __future__ import annotations

from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import require_several
from specc.ops.weightless import NoParams, Weightless


class Add(Weightless):
    """`add(a, b, ..)`, and the sum that closes `residual { }`: its first input is the body's output, its second the
    shortcut's."""

    kind = "add"
    channelwise = True
    signature = Signature(
        "add",
        (Parameter("inputs", "tensors", doc="two or more of one shape"),),
        "The sum of feature maps of one shape.",
    )

    def build(self, call: OpCall) -> Built:
        require_several(call, "a sum")
        first, *others = call.inputs
        for other in others:
            call.tie(first, other, "the two sides of this sum")
        return Built(NoParams(), ((first.channels, first.space),))


OPERATORS = (Add(),)
