"""Feature maps joined along their channels."""

from __future__ import annotations

from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import require_several
from specc.ops.weightless import NoParams, Weightless


class Concat(Weightless):
    """`concat(a, b, ..)`. Each input stays a segment of its own, so that what reads them finds each one's weights."""

    kind = "concat"
    signature = Signature(
        "concat",
        (Parameter("inputs", "tensors", doc="two or more of one height and width"),),
        "Joins tensors along their channels.",
    )

    def build(self, call: OpCall) -> Built:
        require_several(call, "a concatenation")
        first, *others = call.inputs
        for other in others:
            call.tie_space(first, other, "the tensors joined here")
        channels = tuple(segment for tensor in call.inputs for segment in tensor.channels)
        return Built(NoParams(), ((channels, first.space),))


OPERATORS = (Concat(),)
