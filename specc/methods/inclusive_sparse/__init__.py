"""IS-ResNeXt (slicing, section 3.2): networks of slices, whose sub-networks all answer in one pass."""

from __future__ import annotations

from typing import Final

from specc.ir.graph import Graph
from specc.ir.parameter import Call, Signature
from specc.methods.inclusive import nested_choice, nested_only
from specc.methods.protocol import Basics, Constant, Method, Report

SIGNATURE: Final = Signature("inclusive_sparse", (), "the losses of K nested sub-networks, from one pass for all")


class InclusiveSparse(Basics):
    """Each step: one pass forward and one back; every number of slices has its classifier and its loss."""

    __slots__ = ()

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        choice = nested_choice(graph)
        return 1 if choice is None else len(choice.options)

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        choice = nested_choice(graph)
        assert choice is not None
        return (Constant("CHOICE", choice.name, "Its options are the numbers of slices."),)

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        nested_only(graph, self.name, report)


METHOD: Final[Method] = InclusiveSparse(SIGNATURE, draws=False, calibrates=False, learns_levels=True, needs_slices=True)
