"""Feature maps joined along their channels."""

from __future__ import annotations

from collections.abc import Sequence

from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import require_several


class Concat(Operator):
    """`concat(a, b, ..)`. Each input stays a segment of its own, so that what reads them finds each one's weights."""

    kind = "concat"
    associative = True
    example = "concat(here, conv(16, kernel=3))"
    branched = Branched(refused="the channels of its operands would not be grouped branch by branch")
    drawn = Drawn("join")
    passes_runs = True
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

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


OPERATORS = (Concat(),)
