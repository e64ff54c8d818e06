"""Early exits: the cross-entropies of all exits, weighed and summed. It trains as US-Nets today."""

from __future__ import annotations

from typing import Final

from specc.ir.parameter import ListOf, Parameter, Signature
from specc.methods.protocol import Method, StandIn

SIGNATURE: Final = Signature(
    "early_exit",
    (Parameter("weights", ListOf("number"), (), "of the exits' losses, the last one's last; none: all 1"),),
    "one pass, a loss at every exit",
)

METHOD: Final[Method] = StandIn("early_exit", SIGNATURE, subnets=2)
