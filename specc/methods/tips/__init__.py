"""TIPS: important operations are sampled wider. It trains as US-Nets today."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from specc.ir.parameter import Call, Parameter, Signature, Variants
from specc.methods.protocol import Method, StandIn

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

METHOD: Final[Method] = StandIn("tips", SIGNATURE, subnets="subnets", beside=1)
