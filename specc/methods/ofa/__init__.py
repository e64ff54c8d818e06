"""Once-for-all: progressive shrinking, phase by phase. It trains as US-Nets today."""

from __future__ import annotations

from typing import Final

from specc.ir.parameter import ListOf, Parameter, Signature, Words
from specc.methods.protocol import Method, StandIn

SIGNATURE: Final = Signature(
    "ofa",
    (
        Parameter("subnets", "integer", 2, "sub-networks a step"),
        Parameter(
            "phases",
            ListOf(Words(("full", "kernel", "depth", "expand", "width", "resolution"))),
            ("full", "kernel", "depth", "expand"),
            "which choices are released, one after another",
        ),
        Parameter("distill", "number", 1, "weight of the largest sub-network's answers"),
    ),
    "progressive shrinking",
)

METHOD: Final[Method] = StandIn("ofa", SIGNATURE, subnets="subnets")
