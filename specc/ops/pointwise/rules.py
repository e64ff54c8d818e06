"""The product and the difference of two tensors, number by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specc.diagnostics import Rule
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Parameter, Signature

TWO_TENSORS = Rule(
    "E422",
    "two-tensors",
    "a product or difference is not of two tensors",
    "`multiply(a, b)` and `subtract(a, b)` take two tensors, by name, as `here` or as calls.\n"
    "Wrong:  multiply(conv(16, kernel=3))\n"
    "Right:  multiply(here, conv(16, kernel=3))",
)


class Pointwise(Operator):
    """`multiply(a, b)`, `subtract(a, b)`. Both are of one shape, or one is a vector with a number for each channel of
    the other, or a map or tokens with one number for each place of it."""

    channelwise = True

    def __init__(self, kind: str, sign: str, doc: str) -> None:
        self.kind = kind
        self.example = f"{kind}(here, sigmoid(conv(in, kernel=3)))"
        self.folds = kind == "multiply"
        self.drawn = Drawn("join", word=sign)
        doubled = Parameter(
            "inputs", "tensors", doc="two of one shape, or one of them with a number a channel or place"
        )
        self.signature = Signature(kind, (doubled,), doc)

    def build(self, call: OpCall) -> Built:
        if len(call.inputs) != 2:
            given = "1 is" if len(call.inputs) == 1 else f"{len(call.inputs) or 'none'} are"
            message = f"`{self.kind}` takes two tensors, and {given} given"
            call.report(TWO_TENSORS, message, help="the incoming tensor is `here`")
            return Built(NoParams(), ((call.inputs[0].channels, call.inputs[0].space),))
        left, right = call.inputs
        whole, other = (right, left) if stretches(call, left, right) else (left, right)
        what = f"the two sides of this {'product' if self.kind == 'multiply' else 'difference'}"
        if per_channel(call, other, whole):
            call.tie(replace(whole, space=()), replace(other, space=()), what)
        elif per_place(call, other, whole):
            call.tie_space(whole, other, what)
        else:
            call.tie(whole, other, what)
        return Built(NoParams(), ((whole.channels, whole.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


def stretches(call: OpCall, left: Tensor, right: Tensor) -> bool:
    """Whether the left one is stretched to the right one's shape."""
    if per_channel(call, right, left) or per_place(call, right, left):
        return False
    return per_channel(call, left, right) or per_place(call, left, right)


def per_channel(call: OpCall, tensor: Tensor, whole: Tensor) -> bool:
    """Whether a tensor, a vector or a map of one pixel, has one number for each channel of a map or of tokens."""
    if len(tensor.space) == 1 or not whole.space:
        return False
    if tensor.space and len(whole.space) == 1:
        return False
    one_place = all(size == 1 for size in tensor.space)
    return one_place and tuple(map(call.maximum, whole.space)) != tuple(map(call.maximum, tensor.space))


def per_place(call: OpCall, tensor: Tensor, whole: Tensor) -> bool:
    """Whether a tensor has one number for each place of another, which has several channels."""
    if len(tensor.space) != len(whole.space) or not tensor.space:
        return False
    return call.maximum(tensor.features) == 1 < call.maximum(whole.features)


OPERATORS = (
    Pointwise("multiply", "×", "The product of two tensors, number by number."),
    Pointwise("subtract", "−", "The difference of two tensors, number by number."),
)
