"""TIPS: important operations are sampled wider. It trains as US-Nets today."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

from specc.ir.expr import Number
from specc.ir.graph import Graph
from specc.ir.parameter import Call, Parameter, Signature, Variants
from specc.methods.protocol import Method, Report, StandIn
from specc.methods.tips.ranges import out_of_range

IMPORTANCE: Final = Signature(
    "importance",
    (
        Parameter("subnets", "integer", 8, "sampled sub-networks (T)"),
        Parameter("coupling", "number", 1, "between the copies of a feature map (lambda, Eq. 4)"),
        Parameter("damping", "number", Fraction(1, 100_000), "probability of a jump between any two states (kappa)"),
    ),
    "the TAS and TPS of the network's graph",
)
IMPORTANCE_DEFAULTS: Final = tuple((parameter.name, parameter.default) for parameter in IMPORTANCE.parameters)

SIGNATURE: Final = Signature(
    "tips",
    (
        Parameter("subnets", "integer", 3, "sub-networks a step beside the super-network"),
        Parameter("boost", "number", Fraction(3, 2), "how much wider important operations are drawn"),
        Parameter("analysis", Variants((IMPORTANCE,)), Call("importance", IMPORTANCE_DEFAULTS)),
    ),
    "topologically important paths, sampled wider",
)


@dataclass(frozen=True, slots=True, eq=False)
class Tips(StandIn):
    """TIPS's parameters, with the ranges of its analysis checked."""

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        StandIn.check(self, graph, call, report)
        analysis = cast(Call, call["analysis"])
        coupling, damping = (float(cast(Number, analysis[name])) for name in ("coupling", "damping"))
        wrong = out_of_range(coupling, damping)
        if wrong is not None:
            rule, message, help = wrong
            report(rule, message, at="analysis", help=help)


METHOD: Final[Method] = Tips("tips", SIGNATURE, subnets="subnets", beside=1)
