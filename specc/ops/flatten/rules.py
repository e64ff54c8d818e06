"""Flattening a feature map into a vector."""

from __future__ import annotations

from collections.abc import Sequence

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Var
from specc.ir.graph import Op, Segment, Tensor
from specc.ir.operator import Built, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Signature
from specc.ops.shapes import product

FLATTEN_ELASTIC = Rule(
    "E406",
    "flatten-elastic-size",
    "a map of elastic height and width is flattened",
    "After flatten every pixel has weights of its own, so its map must have one size at every resolution.\n"
    "Wrong:  input image(3, resolution=16..32 step 8) ... flatten; linear(classes)\n"
    "Right:  pool(avg, size=4); flatten; linear(classes)",
)


class Flatten(Operator):
    """`flatten`."""

    kind = "flatten"
    example = "flatten; linear(128)"
    keeps_channels = False
    nests = True
    channelwise = True
    folds = True
    signature = Signature("flatten", (), "A feature map, or tokens, as a vector, channel by channel.")

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        if any(isinstance(size, (Var, Apply)) for size in tensor.space):
            call.report(
                FLATTEN_ELASTIC,
                "this map's height and width depend on the resolution",
                help="pool to a fixed size first: `pool(avg, size=..)`, or `pool(avg)` for the whole map",
            )
        spread = product(*(call.maximum(size) for size in tensor.space))
        segments = tuple(Segment(s.size, product(s.spread, spread)) for s in tensor.channels)
        return Built(NoParams(), ((segments, ()),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        """Tokens, whose features stand last, are copied to bring these to the front."""
        return Memory("own" if len(inputs[0].space) == 1 else "alias")


OPERATORS = (Flatten(),)
