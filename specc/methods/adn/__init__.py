"""ADN (adaptive depth): skippable sub-paths, the whole teaching the base. It trains as US-Nets today."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from specc.ir.parameter import Parameter, Signature, Words
from specc.methods.protocol import Method, StandIn

SIGNATURE: Final = Signature(
    "adn",
    (
        Parameter("alpha", "number", Fraction(1, 2), "the share of the labels' loss; the rest is distillation (Eq. 8)"),
        Parameter(
            "features", Words(("stages", "none")), "stages", "whether the stages' pooled features are distilled too"
        ),
        Parameter("temperature", "number", 1),
    ),
    "the super-network and its base, with self-distillation of logits and features",
)

METHOD: Final[Method] = StandIn("adn", SIGNATURE, subnets=2)
