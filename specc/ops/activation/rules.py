"""The pointwise activations. All alike to the compiler: they keep the shape and hold no weights."""

from __future__ import annotations

from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Signature
from specc.ops.weightless import NoParams, Weightless


class Activation(Weightless):
    """`relu`, `silu`, ...: one value at a time."""

    folds = True
    channelwise = True

    def __init__(self, kind: str, doc: str) -> None:
        self.kind = kind
        self.signature = Signature(kind, (), doc)

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        return Built(NoParams(), ((tensor.channels, tensor.space),))


OPERATORS = (
    Activation("relu", "max(x, 0)."),
    Activation("relu6", "min(max(x, 0), 6)."),
    Activation("hswish", "x * relu6(x + 3) / 6."),
    Activation("hsigmoid", "relu6(x + 3) / 6."),
    Activation("silu", "x * sigmoid(x)."),
    Activation("gelu", "x * Phi(x), Phi the normal distribution's."),
    Activation("sigmoid", "1 / (1 + exp(-x))."),
    Activation("tanh", "The hyperbolic tangent."),
)
