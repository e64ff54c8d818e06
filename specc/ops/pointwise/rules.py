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
    the other, a map or tokens with one number for each place of it, or a map with one for each row or column."""

    channelwise = True

    def __init__(self, kind: str, sign: str, doc: str) -> None:
        self.kind = kind
        self.example = f"{kind}(here, sigmoid(conv(in, kernel=3)))"
        self.folds = kind == "multiply"
        self.drawn = Drawn("join", word=sign)
        doubled = Parameter(
            "inputs", "tensors", doc="two of one shape, or one of them with a number a channel, place, row or column"
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
        elif along := per_line(call, other, whole):
            call.tie(
                replace(whole, space=(whole.space[along - 1],)), replace(other, space=(other.space[along - 1],)), what
            )
        else:
            call.tie(whole, other, what)
        return Built(NoParams(), ((whole.channels, whole.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


def stretches(call: OpCall, left: Tensor, right: Tensor) -> bool:
    """Whether the left one is stretched to the right one's shape."""
    if any(ask(call, right, left) for ask in (per_channel, per_place, per_line)):
        return False
    return any(bool(ask(call, left, right)) for ask in (per_channel, per_place, per_line))


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


def per_line(call: OpCall, tensor: Tensor, whole: Tensor) -> int:
    """Whether a map has one number for each row of another in every channel, 1, or one for each column, 2; else 0."""
    if len(tensor.space) != 2 or len(whole.space) != 2:
        return 0
    mine, theirs = tuple(map(call.maximum, tensor.space)), tuple(map(call.maximum, whole.space))
    for along, across in ((0, 1), (1, 0)):
        if mine[across] == 1 < theirs[across] and mine[along] == theirs[along]:
            return along + 1
    return 0


OPERATORS = (
    Pointwise("multiply", "×", "The product of two tensors, number by number."),
    Pointwise("subtract", "−", "The difference of two tensors, number by number."),
)
