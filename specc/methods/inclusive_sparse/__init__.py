"""IS-ResNeXt: block-triangular slices, all answers from one pass. It trains as US-Nets today."""

from __future__ import annotations

from typing import Final

from specc.ir.parameter import Signature
from specc.methods.protocol import Method, StandIn

SIGNATURE: Final = Signature(
    "inclusive_sparse",
    (),
    "inclusive sub-networks from one pass over block-triangular weights",
)

METHOD: Final[Method] = StandIn("inclusive_sparse", SIGNATURE, subnets=4)
