"""What operators without parameters and without multiplications have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specc.ir.expr import Expr
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Weight


@dataclass(frozen=True, slots=True)
class NoParams:
    """The params of an op that has none."""


class Weightless:
    """Costs nothing in the default count and holds no parameters."""

    folds = False

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        return ()

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return 0

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return 0
