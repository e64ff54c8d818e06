"""US-Nets (Yu and Huang, 2019): the sandwich rule and in-place distillation."""

from __future__ import annotations

from typing import Final

from specc.ir.graph import Graph
from specc.ir.parameter import Call, Parameter, Signature
from specc.methods.protocol import (
    TOO_FEW_SUBNETS,
    Basics,
    Constant,
    Method,
    Report,
    needs_choices,
    subnets_parameter,
)

SIGNATURE: Final = Signature(
    "us_net",
    (
        subnets_parameter(4, "sub-networks a step: the largest, the smallest, and the rest drawn at random"),
        Parameter(
            "distill", "flag", True, "distil the largest sub-network into the others; `no`: they learn the labels"
        ),
        Parameter("temperature", "number", 1, "of the softmax of both when distilling", above=0),
    ),
    "sandwich rule and in-place distillation",
)


class UsNet(Basics):
    """Each step: the largest sub-network on the labels, the smallest and n - 2 random ones on the largest's answers."""

    __slots__ = ()

    def distils(self, graph: Graph, call: Call) -> bool:
        return bool(call["distill"])

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return subnets(call)

    def lists(self, call: Call) -> tuple[object, ...]:
        return ("max", "min") if subnets(call) == 2 else ()

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        comment = "Sub-networks a step, the largest and the smallest among them."
        return (Constant("SUBNETS", subnets(call), comment),)

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        needs_choices(graph, self.name, report)
        if subnets(call) < 2:
            report(
                TOO_FEW_SUBNETS,
                f"{subnets(call)} sub-network a step cannot hold the largest and the smallest",
                at="subnets",
                help="write `subnets=4`, as the paper does, or any number from 2",
            )


def subnets(call: Call) -> int:
    """The `subnets` argument."""
    number = call["subnets"]
    assert isinstance(number, int), number
    return number


METHOD: Final[Method] = UsNet(SIGNATURE, elastic="width uniform 0.25..1.0 step 0.05 round 8")
