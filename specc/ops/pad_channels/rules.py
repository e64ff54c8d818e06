"""Zero channels appended to a feature map, or to each of its slices: the parameter-free shortcut of a widening
residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op
from specc.ir.operator import Branched, Built, Drawn, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import one

PAD_NARROWS = Rule(
    "E408",
    "pad-narrows",
    "pad_channels would remove channels",
    "`pad_channels(out)` appends zero channels up to `out`, so `out` must not be below what arrives.\n"
    "Wrong:  conv(64, kernel=3); pad_channels(32)\n"
    "Right:  conv(32, kernel=3); pad_channels(64)",
)


PAD_SLICES = Rule(
    "E411",
    "pad-slices",
    "the slices of pad_channels do not divide its channels",
    "`pad_channels(out, slices=K)` appends zeros to each of K equal slices, so K divides what arrives and `out`, and\n"
    "a sub-network has whole slices of both.\n"
    "Wrong:  conv(64, kernel=3); pad_channels(128, slices=6)\n"
    "Right:  conv(96, kernel=3); pad_channels(192, slices=6)",
)


@dataclass(frozen=True, slots=True)
class PadChannelsParams:
    """Active channels before and after. Where the active output is narrower than the input, the last are dropped.

    Of several slices each gets its own zeros; `slices` are active.
    """

    inputs: Expr
    out: Expr
    slices: Expr


class PadChannels(Operator):
    """`pad_channels(out)`."""

    kind = "pad_channels"
    example = "residual { conv(32, kernel=3) } shortcut { pad_channels(32) }"
    branched = Branched(refused="it would append channels behind those of the last branch only")
    drawn = Drawn(word="pad")
    needs_one_run = True
    signature = Signature(
        "pad_channels",
        (
            Parameter("out", "channels", doc="channels after padding"),
            Parameter("slices", "integer", 1, "equal slices that are padded each on its own"),
        ),
        "Appends zero channels.",
    )

    def build(self, call: OpCall) -> Built:
        tensor, slices = call.inputs[0], cast(int, call.args["slices"])
        out = call.out_channels("out")
        before, after = call.maximum(tensor.features), call.maximum(out)
        if after < before:
            call.report(PAD_NARROWS, f"{before} channels can't be padded to {after}", at="out")
        active: Expr = slices
        if before % slices or after % slices:
            message = f"{slices} slices do not divide {before} and {after} channels"
            call.report(PAD_SLICES, message, at="slices")
        elif slices > 1:
            active = active_slices(tensor.features, before, slices)
            if active != active_slices(out, after, slices):
                message = "what arrives and what leaves do not keep the same whole slices"
                call.report(PAD_SLICES, message, at="slices", help="cut both with one `width by k`")
        return Built(PadChannelsParams(tensor.features, out, active), ((one(out), tensor.space),))

    def own_slices(self, op: Op) -> Expr:
        return cast(PadChannelsParams, op.params).slices


def active_slices(channels: Expr, maximum: int, slices: int) -> Expr:
    """How many slices of a width are active."""
    return apply("div", apply("mul", channels, slices), maximum)


OPERATORS = (PadChannels(),)
