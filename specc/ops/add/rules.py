"""The sum of feature maps, as at the end of a residual."""

from __future__ import annotations

from collections.abc import Sequence

from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import require_several


class Add(Operator):
    """`add(a, b, ..)`, and the sum that closes `residual { }`: its first input is the body's output, its second the
    shortcut's."""

    kind = "add"
    example = "add(here, conv(16, kernel=3))"
    sums = True
    associative = True
    nests = True
    drawn = Drawn("sum")
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

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("adds" if len(inputs) == 2 else "own", summed=True)


OPERATORS = (Add(),)
