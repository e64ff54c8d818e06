"""PSS-Net: pools of sub-networks per budget, sampled by priority. It trains as US-Nets today."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from specc.ir.parameter import Call, ListOf, Parameter, Signature, Variants
from specc.methods.protocol import Method, StandIn

BUDGETS: Final = (
    Signature("macs", (Parameter("step", "number", 10_000_000),), "a budget every so many multiply-accumulates"),
    Signature("params", (Parameter("step", "number", 100_000),), "a budget every so many parameters"),
    Signature(
        "latency",
        (Parameter("device", "text", "cpu"), Parameter("step", "number", Fraction(1, 1000))),
        "a budget every so many seconds of measured latency",
    ),
)

SIGNATURE: Final = Signature(
    "pss",
    (
        Parameter("pool", "integer", 50, "sub-networks kept for each budget"),
        Parameter("budgets", ListOf(Variants(BUDGETS)), (Call("macs", (("step", 10_000_000),)),)),
        Parameter(
            "space_share_end", "number", Fraction(1, 100), "the probability of sampling the space in the last epoch"
        ),
        Parameter("temperature_end", "number", Fraction(1, 100), "of the softmax over a pool, in the last epoch"),
        Parameter("smoothing", "number", Fraction(9, 10), "of a sub-network's score when it is drawn again"),
        Parameter("calibrate_top", "integer", 5, "sub-networks of each pool that are calibrated at the end"),
    ),
    "prioritised sampling from a pool for every budget",
)

METHOD: Final[Method] = StandIn("pss", SIGNATURE, subnets=3)
