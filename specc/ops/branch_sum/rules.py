"""The sum of parallel branches that lie one after another in the channels of one tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from specc.ir.operator import Built, OpCall, Operator
from specc.ir.parameter import Signature
from specc.ops.shapes import one


@dataclass(frozen=True, slots=True)
class BranchSumParams:
    """`size` channels belong to each branch."""

    size: int


class BranchSum(Operator):
    """Closes `branches n sum { }` where no convolution sums the branches. Never written as a call."""

    kind = "branch_sum"
    written = False
    signature = Signature("branch_sum", (), "The sum of parallel branches.")

    def build(self, call: OpCall) -> Built:
        size = cast(int, call.args["size"])
        return Built(BranchSumParams(size), ((one(size), call.inputs[0].space),))


OPERATORS = (BranchSum(),)
