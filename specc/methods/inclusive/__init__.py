"""I-ResNeXt: the first k branches, each k with norms and a classifier of its own. It trains as US-Nets today."""

from __future__ import annotations

from typing import Final

from specc.ir.parameter import Signature
from specc.methods.protocol import Method, StandIn

SIGNATURE: Final = Signature(
    "inclusive",
    (),
    "inclusive sub-networks, one pass each",
)

METHOD: Final[Method] = StandIn("inclusive", SIGNATURE, subnets=4)
