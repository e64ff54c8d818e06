"""MutualNet: the sandwich rule, each smaller sub-network at a random resolution. It trains as US-Nets today."""

from __future__ import annotations

from typing import Final

from specc.ir.parameter import Signature
from specc.methods.protocol import Method, StandIn, subnets_parameter

SIGNATURE: Final = Signature(
    "mutualnet",
    (subnets_parameter(4, "sub-networks a step, the largest and the smallest among them"),),
    "sandwich rule over widths and resolutions",
)

METHOD: Final[Method] = StandIn("mutualnet", SIGNATURE, subnets="subnets")
