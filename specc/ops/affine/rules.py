"""A learned offset for each channel; with a learned factor, too, as where ResMLP has no norm (Touvron et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature

FIRST = Branched(first=("before its first convolution every branch reads the same tensor", "put it after one"))


@dataclass(frozen=True, slots=True)
class AffineParams:
    """`channels` are active, `full_channels` those of the largest sub-network; both 1 where one number is for all.
    `start` is what factors are at first, or offsets without factors."""

    channels: Expr
    start: Number
    full_channels: int


class Affine(Operator):
    """`affine`, `affine(start=0.1)`."""

    kind = "affine"
    weight_names: tuple[str, ...] = ("weight", "bias")
    branched = FIRST
    drawn = Drawn(word="affine")
    channelwise = True
    row_per_channel = True
    folds = True
    silent = True
    signature = Signature(
        "affine",
        (Parameter("start", "number", 1, "what the factors are at first"),),
        "Multiplies every channel by a learned factor and adds a learned offset.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        start = cast(Number, call.args["start"])
        params = AffineParams(1, start, 1)
        if call.args.get("channels", True):
            params = AffineParams(tensor.features, start, call.maximum(tensor.features))
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(AffineParams, op.params)
        return tuple(Weight(name, (p.full_channels,), (p.channels,)) for name in self.weight_names)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


class Offset(Affine):
    """`offset`, `offset(channels=no)`."""

    kind = "offset"
    weight_names = ("weight",)
    drawn = Drawn(word="offset")
    signature = Signature(
        "offset",
        (
            Parameter("channels", "flag", True, "whether every channel has an offset of its own"),
            Parameter("start", "number", 0, "what the offsets are at first"),
        ),
        "Adds a learned offset to every channel, or one to all.",
    )


OPERATORS = (Affine(), Offset())
