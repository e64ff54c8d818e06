"""Zero channels appended to a feature map: the parameter-free shortcut of a widening residual."""

from __future__ import annotations

from dataclasses import dataclass

from specc.diagnostics import Rule
from specc.ir.expr import Expr
from specc.ir.operator import Built, OpCall
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import one
from specc.ops.weightless import Weightless

PAD_NARROWS = Rule(
    "E408",
    "pad-narrows",
    "pad_channels would remove channels",
    "`pad_channels(out)` appends zero channels up to `out`, so `out` must not be below what arrives.\n"
    "Wrong:  conv(64, kernel=3); pad_channels(32)\n"
    "Right:  conv(32, kernel=3); pad_channels(64)",
)


@dataclass(frozen=True, slots=True)
class PadChannelsParams:
    """Active channels before and after. Where the active output is narrower than the input, the last are dropped."""

    inputs: Expr
    out: Expr


class PadChannels(Weightless):
    """`pad_channels(out)`."""

    kind = "pad_channels"
    signature = Signature(
        "pad_channels",
        (Parameter("out", "channels", doc="channels after padding"),),
        "Appends zero channels.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        out = call.out_channels("out")
        if call.maximum(out) < call.maximum(tensor.features):
            call.report(
                PAD_NARROWS,
                f"{call.maximum(tensor.features)} channels can't be padded to {call.maximum(out)}",
                at="out",
            )
        return Built(PadChannelsParams(tensor.features, out), ((one(out), tensor.space),))


OPERATORS = (PadChannels(),)
