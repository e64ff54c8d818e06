"""MutualNet (Yang et al., 2020): the sandwich rule, each smaller sub-network at a random resolution."""

from __future__ import annotations

from itertools import product
from typing import Final

from specc.diagnostics import Rule
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
    "mutualnet",
    (
        subnets_parameter(4, "sub-networks a step: the largest, the smallest, and the rest drawn at random"),
        Parameter("temperature", "number", 1, "of the softmax of both when distilling", above=0),
    ),
    "sandwich rule over widths and resolutions",
)

NO_RESOLUTION: Final = Rule(
    "E661",
    "no-elastic-resolution",
    "mutualnet needs images of several sizes",
    "MutualNet learns from widths and resolutions together: every smaller sub-network sees the images at a size drawn\n"
    "at random, the largest sees them at full size. Without an elastic resolution that is `us_net`.\n"
    "Wrong:  input image(3, 224, 224)                          method mutualnet\n"
    "Right:  input image(3, resolution=128..224 step 32)       method mutualnet",
)


class MutualNet(Basics):
    """Each step: the largest sub-network on the labels; the others, at random resolutions, on its answers."""

    __slots__ = ()

    def distils(self, graph: Graph, call: Call) -> bool:
        return True

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return subnets(call)

    def listed(self, graph: Graph, call: Call) -> tuple[object, ...] | None:
        """Without drawn ones the largest is trained at full size, and the smallest at every size."""
        if subnets(call) > 2:
            return None
        sizes = resolutions(graph)
        smallest = {choice.name: choice.smallest for choice in graph.choices}
        options = product(*(tuple(graph.choice_table()[name].options) for name in sizes))
        return ("max", *(Call("at", tuple((smallest | dict(zip(sizes, at))).items())) for at in options))

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        return (
            Constant("SUBNETS", subnets(call), "Sub-networks a step, the largest and the smallest among them."),
            Constant("RESOLUTIONS", resolutions(graph), "The choices that are image sizes."),
        )

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        needs_choices(graph, self.name, report)
        if not resolutions(graph):
            report(
                NO_RESOLUTION,
                "`mutualnet` trains sub-networks at several resolutions, and this network takes images of one size",
                help="write `input image(3, resolution=128..224 step 32)`, or `method us_net`",
            )
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


def resolutions(graph: Graph) -> tuple[str, ...]:
    """The choices of an image size, where there is a choice."""
    return tuple(c.name for c in graph.choices if c.kind == "resolution" and len(c.options) > 1)


METHOD: Final[Method] = MutualNet(SIGNATURE, elastic="width uniform 0.25..1.0 step 0.05 round 8; resolution")
