"""AWN (any-width networks): every width of one triangular network. It trains as US-Nets today."""

from __future__ import annotations

from typing import Final

from specc.ir.parameter import ListOf, Parameter, Signature
from specc.methods.protocol import Method, StandIn

SIGNATURE: Final = Signature(
    "awn",
    (
        Parameter("widths", "integer", 4, "widths a step: the widest, the narrowest and so many less two drawn evenly"),
        Parameter("fixed", ListOf("number"), (), "these widths, as shares of the widest, in every step instead"),
    ),
    "every width, cross-entropy at each of a few",
)

METHOD: Final[Method] = StandIn("awn", SIGNATURE, subnets="widths")
