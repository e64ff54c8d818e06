"""Random sub-networks for the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from specc.ir.expr import Option

if TYPE_CHECKING:
    from specc.ir.graph import Graph

Window = tuple[Fraction | None, Fraction | None]


def draw_assignments(
    graph: Graph,
    number: int,
    seed: int,
    distribution: str = "uniform",
    windows: Mapping[str, Window | None] = {},
) -> Sequence[Mapping[str, Option]]:
    """`number` canonical assignments. Raises SpecError where no sub-network lies in the windows."""
    raise LookupError
