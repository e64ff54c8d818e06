"""Every value times a constant, plus a constant, or subtracted from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature


@dataclass(frozen=True, slots=True)
class ConstantParams:
    """The constant."""

    number: Number


class WithConstant(Operator):
    """`scale_by(0.2)`, `shift_by(-1)`."""

    channelwise = True
    folds = True
    silent = True

    def __init__(self, kind: str, parameter: str, sign: str, doc: str) -> None:
        self.kind = kind
        self.parameter = parameter
        self.example = f"residual {{ conv(in, kernel=3); {kind}(0.2) }}"
        self.drawn = Drawn(word=sign)
        self.signature = Signature(kind, (Parameter(parameter, "number", doc="the constant"),), doc)

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        return Built(ConstantParams(cast(Number, call.args[self.parameter])), ((tensor.channels, tensor.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


OPERATORS = (
    WithConstant("scale_by", "factor", "×", "Multiplies every value by a constant."),
    WithConstant("shift_by", "offset", "+", "Adds a constant to every value."),
    WithConstant("subtract_from", "number", "−", "Subtracts every value from a constant."),
)
