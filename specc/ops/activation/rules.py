"""The pointwise activations. All alike to the compiler: they keep the shape and hold no weights."""

from __future__ import annotations

from collections.abc import Sequence

from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Signature


class Activation(Operator):
    """`relu`, `silu`, ...: one value at a time."""

    channelwise = True
    folds = True
    nests = True

    def __init__(self, kind: str, doc: str, in_place: bool = False) -> None:
        self.kind = kind
        self.in_place = in_place
        self.signature = Signature(kind, (), doc)

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        return Built(NoParams(), ((tensor.channels, tensor.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("overwrites" if self.in_place else "own")


OPERATORS = (
    Activation("relu", "max(x, 0).", in_place=True),
    Activation("relu6", "min(max(x, 0), 6).", in_place=True),
    Activation("hswish", "x * relu6(x + 3) / 6.", in_place=True),
    Activation("hsigmoid", "relu6(x + 3) / 6."),
    Activation("silu", "x * sigmoid(x).", in_place=True),
    Activation("gelu", "x * Phi(x), Phi the normal distribution's."),
    Activation("sigmoid", "1 / (1 + exp(-x))."),
    Activation("tanh", "The hyperbolic tangent."),
)
