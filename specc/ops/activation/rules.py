"""The pointwise activations. All alike to the compiler: they keep the shape and hold no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Parameter, Signature

NOTHING_BETWEEN = Rule(
    "E421",
    "nothing-between",
    "the bounds of `hardtanh` or `clamp` leave no value between them",
    "`hardtanh(low, high)` and `clamp(low, high)` keep to the range between the two, so the first is the smaller;\n"
    "`clamp(low=0)` and `clamp(high=6)` have one bound.\n"
    "Wrong:  hardtanh(6, 0)\n"
    "Right:  hardtanh(0, 6)",
)


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


@dataclass(frozen=True, slots=True)
class CurveParams:
    """The numbers of an activation, in the order of its parameters; None for one that is not given."""

    numbers: tuple[Number | None, ...]


class Curve(Activation):
    """`leaky_relu(slope=0.2)`, ...: an activation with numbers of its own."""

    def __init__(self, kind: str, doc: str, *parameters: Parameter) -> None:
        super().__init__(kind, doc)
        self.signature = Signature(kind, parameters, doc)

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        numbers = tuple(cast("Number | None", call.args[parameter.name]) for parameter in self.signature.parameters)
        return Built(CurveParams(numbers), ((tensor.channels, tensor.space),))


class HardTanh(Curve):
    """`hardtanh(0, 6)`, `clamp(low=0)`."""

    @property
    def example(self) -> str:  # type: ignore[override]
        return f"{self.kind}(low=0)"

    def build(self, call: OpCall) -> Built:
        low, high = (cast("Number | None", call.args[name]) for name in ("low", "high"))
        if low is None and high is None:
            message = "a clamp without bounds changes nothing"
            call.report(NOTHING_BETWEEN, message, help="say `low=`, `high=` or both")
        elif low is not None and high is not None and low >= high:
            message = f"there is no value between {float(low):g} and {float(high):g}"
            call.report(NOTHING_BETWEEN, message, at="high", help="the smaller number comes first")
        return super().build(call)


def number(name: str, default: Number | None, doc: str, above: int | None = None) -> Parameter:
    return Parameter(name, "number", default, doc, above=above)


OPERATORS = (
    Activation("relu", "max(x, 0).", in_place=True),
    Activation("relu6", "min(max(x, 0), 6).", in_place=True),
    Activation("hswish", "x * relu6(x + 3) / 6.", in_place=True),
    Activation("hsigmoid", "relu6(x + 3) / 6."),
    Activation("silu", "x * sigmoid(x).", in_place=True),
    Activation("gelu", "x * Phi(x), Phi the normal distribution's."),
    Activation("sigmoid", "1 / (1 + exp(-x))."),
    Activation("tanh", "The hyperbolic tangent."),
    Activation("gelu_tanh", "gelu, with a tanh instead of Phi: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."),
    Activation("quick_gelu", "x * sigmoid(1.702 x)."),
    Activation("mish", "x * tanh(log(1 + exp(x)))."),
    Activation("selu", "1.0507 * (x above 0, 1.67326 * (exp(x) - 1) below)."),
    Curve("leaky_relu", "x above 0, slope * x below.", number("slope", Fraction(1, 100), "its slope below 0")),
    Curve("elu", "x above 0, alpha * (exp(x) - 1) below.", number("alpha", 1, "what it falls to, negative")),
    Curve(
        "celu",
        "x above 0, alpha * (exp(x / alpha) - 1) below.",
        number("alpha", 1, "what it falls to, negative", above=0),
    ),
    Curve(
        "softplus",
        "log(1 + exp(beta * x)) / beta.",
        number("beta", 1, "how sharply it bends", above=0),
        number("threshold", 20, "the beta * x from which it is x"),
    ),
    HardTanh(
        "hardtanh",
        "min(max(x, low), high).",
        number("low", -1, "its least value"),
        number("high", 1, "its greatest value"),
    ),
    HardTanh(
        "clamp",
        "x, but no less than low and no more than high.",
        number("low", None, "its least value, if it has one"),
        number("high", None, "its greatest value, if it has one"),
    ),
)
