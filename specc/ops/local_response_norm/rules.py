"""Local response normalisation (Krizhevsky et al., 2012), as in AlexNet and GoogLeNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import product, require_map


@dataclass(frozen=True, slots=True)
class LocalResponseNormParams:
    """`size` neighbouring channels; alpha, beta and k of the paper."""

    size: int
    alpha: Number
    beta: Number
    k: Number


class LocalResponseNorm(Operator):
    """`local_response_norm(5)`. It has no weights: in a narrow sub-network neighbours are those among the active."""

    kind = "local_response_norm"
    example = "local_response_norm(5)"
    branched = Branched(refused="its neighbours would be channels of other branches")
    drawn = Drawn(word="norm")
    folds = True
    silent = True
    signature = Signature(
        "local_response_norm",
        (
            Parameter("size", "integer", doc="how many neighbouring channels"),
            Parameter("alpha", "number", Fraction(1, 10_000), "the weight of their squares' mean"),
            Parameter("beta", "number", Fraction(3, 4), "the exponent"),
            Parameter("k", "number", 1, "added before it is taken"),
        ),
        "Every value, divided by (k + alpha * m) ^ beta, m the mean of squares of neighbouring channels.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a local response norm")
        numbers = (cast(Number, call.args[name]) for name in ("alpha", "beta", "k"))
        params = LocalResponseNormParams(cast(int, call.args["size"]), *numbers)
        return Built(params, ((tensor.channels, tensor.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        """torch squares the map, pads it and takes the means, each in memory of its own."""
        return Memory(summed=True, more=product(2, outputs[0].features, *outputs[0].space))


OPERATORS = (LocalResponseNorm(),)
